'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { type RefObject, useEffect, useId, useRef } from 'react'
import { ConnectButton } from '../connect/connect-button.tsx'
import { useAccounts, useKit, useProvider, useSnapshot } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { meaningOf, useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { useFacts } from './facts.ts'
import { untilWords, useNow } from './now.ts'
import { sentenceOf, useAgentMessages, useChange } from './oversight.tsx'
import { Bones, Disclosure, Failed, Given, ToolTitle } from './parts.tsx'
import { plainName, shownTitle, visibleLine } from './plain.ts'
import {
  type Held,
  isBlocked,
  lendingOf,
  type Outcome,
  outcomeOf,
  type ReadinessProps,
  type ReadyTool,
} from './readiness-facts.ts'
import { findAgent } from './ruled.ts'
import { StopButton } from './stop-button.tsx'

/** The card of a `Readiness`. */
export function ReadinessCard(props: ReadinessProps) {
  const { agent: agentId, tools, accounts: ids, duration = 0, headingLevel = 3 } = props
  const words = useAgentMessages()
  const now = useNow()
  const all = useAccounts()
  const isKnown = useSnapshot(({ status }) => status !== 'loading')
  const language = useLanguage()
  const { agents, person, retry, ...facts } = useFacts()
  const status = isKnown ? facts.status : 'loading'
  const titleId = useId()
  const agent = findAgent(agents, agentId)
  const accounts = ids ? all.filter(({ id }) => ids.includes(id)) : all
  const outcome =
    isKnown && person && agent
      ? outcomeOf({ agent: agentId, agents, rules: person, accounts, now, duration, tools })
      : undefined
  const title = outcome && headline(words.readiness, outcome)
  const heading = useRef<HTMLHeadingElement>(null)
  const isInside = useRef(false)
  useHeadline(title, heading, isInside)
  if (status === 'ready' && !agent) return null
  const Heading = `h${headingLevel}` as const
  return (
    <section
      {...language}
      onFocus={() => {
        isInside.current = true
      }}
      onBlur={({ currentTarget, relatedTarget }) => {
        if (relatedTarget && !currentTarget.contains(relatedTarget)) isInside.current = false
      }}
      className="latchkey latchkey-card latchkey-access"
      aria-labelledby={title === undefined ? undefined : titleId}
      aria-busy={status === 'loading' || undefined}
    >
      {status === 'loading' && <Bones />}
      {status === 'failed' && <Failed onRetry={retry} />}
      {agent && outcome && (
        <>
          <div className="latchkey-access-head" data-ready={stateOf(outcome)}>
            <div className="latchkey-title">
              <Heading ref={heading} id={titleId} className="latchkey-name latchkey-ready" tabIndex={-1}>
                {title}
              </Heading>
              <p className="latchkey-line">
                <Given name={agent.name} />
              </p>
            </div>
            {outcome.stopped && <StopButton target={outcome.stopped} />}
          </div>
          <ul>
            {outcome.helds.map((held) => (
              <HeldRow key={held.account?.id ?? held.provider} agent={agentId} held={held} duration={duration} />
            ))}
            {outcome.gone.map((name) => (
              <li key={name} className="latchkey-access-row latchkey-ready-gone">
                <ToolTitle title={plainName(name)} />
                <span className="latchkey-status" data-ready="mend">
                  {words.readiness.gone}
                </span>
              </li>
            ))}
          </ul>
          <Foot outcome={outcome} />
        </>
      )}
    </section>
  )
}

type ReadyWords = ReturnType<typeof useAgentMessages>['readiness']

const stateOf = ({ mends, asks }: Outcome) => (mends > 0 ? 'mend' : asks > 0 ? 'asks' : 'ok')

function headline(words: ReadyWords, { mends, asks }: Outcome): string {
  if (mends > 0) return words.mendCount(mends)
  return asks > 0 ? words.asksCount(asks) : words.ready
}

/** Says the headline when it changes, and takes the focus when what had it is mended and gone. */
function useHeadline(title: string | undefined, heading: RefObject<HTMLElement | null>, isInside: RefObject<boolean>) {
  const announce = useAnnounce()
  const last = useRef<string>(undefined)
  useEffect(() => {
    if (title === undefined || title === last.current) return
    if (last.current !== undefined) announce(`${title}.`)
    last.current = title
  }, [title, announce])
  useEffect(() => {
    if (isInside.current && document.activeElement === document.body) heading.current?.focus()
  })
}

interface HeldProps {
  agent: string
  held: Held
  duration: number
}

/** One account with its tools, or a provider without one. */
function HeldRow({ agent, held, duration }: HeldProps) {
  const words = useAgentMessages()
  const { icons } = useKit()
  const provider = useProvider(held.provider)
  const { account, tools, trouble } = held
  const blocked = isBlocked(trouble)
  const open = tools.filter(({ state }) => state !== 'ok')
  const ready = tools.filter(({ state }) => state === 'ok')
  const name = visibleLine(account?.label ?? provider?.name ?? held.provider)
  return (
    <li className="latchkey-access-row">
      <div className="latchkey-row" data-slot="readiness">
        <span className="latchkey-mark" data-slot="mark">
          {provider && brandMark(provider, icons)}
        </span>
        <div className="latchkey-title">
          <span className="latchkey-name">
            <Given name={name} />
          </span>
          {account && <span className="latchkey-hint">{provider?.name ?? visibleLine(held.provider)}</span>}
        </div>
        <p className="latchkey-line">
          <TroubleWord held={held} />
        </p>
      </div>
      <div className="latchkey-access-body">
        {trouble && (
          <div className="latchkey-mend">
            <Mend held={held} provider={provider} name={name} />
          </div>
        )}
        {open.length > 0 && (
          <div className="latchkey-tools">
            <ul aria-label={name}>
              {open.map((tool) => (
                <ToolRow
                  key={tool.tool}
                  {...{ agent, tool, account, provider, duration }}
                  isPlain={blocked || tool.because?.by === 'stopped'}
                />
              ))}
            </ul>
          </div>
        )}
        {ready.length > 0 && (
          <Disclosure
            label={words.readiness.readyCount(ready.length)}
            name={`${words.readiness.readyCount(ready.length)}: ${name}`}
          >
            <ul className="latchkey-scopes" aria-label={name}>
              {ready.map(({ tool, title }) => (
                <li key={tool}>
                  <Given name={shownTitle(title)} />
                </li>
              ))}
            </ul>
          </Disclosure>
        )}
      </div>
    </li>
  )
}

/** What is wrong with the account itself, in a word. */
function TroubleWord({ held: { trouble, account, tools } }: { held: Held }) {
  const words = useAgentMessages()
  const { status, locale } = useFirstMessages()
  const now = useNow()
  // Its button says so, too.
  if (trouble === 'stopped') return null
  if (!trouble) {
    const isReady = tools.every(({ state }) => state === 'ok')
    return isReady ? (
      <span className="latchkey-status" data-ready="ok">
        {words.readyStates.ok}
      </span>
    ) : null
  }
  const word = {
    missing: words.notConnected,
    reconnect: status['needs-reconnect'],
    paused: status.paused,
    narrower: words.readyStates.narrower,
    ends: account?.expiresAt === undefined ? '' : words.ends(untilWords(account.expiresAt, now, locale)),
  }[trouble]
  return (
    <span className="latchkey-status" data-ready="mend">
      {word}
    </span>
  )
}

interface MendProps {
  held: Held
  provider: Provider | undefined
  name: string
}

/** The button that mends an account. */
function Mend({ held: { account, trouble, scopes }, provider, name }: MendProps) {
  const words = useAgentMessages()
  const messages = useFirstMessages()
  const { client } = useKit()
  if (!trouble || !provider) return null
  if (account && trouble === 'paused') {
    return (
      <SmallButton
        label={messages.resumeShort}
        name={messages.resume(provider.name, name)}
        // What fails leaves it paused, as the card says.
        onPress={() => void client.unpause(account.id).catch(() => {})}
      />
    )
  }
  if (account && trouble === 'stopped') return <StopButton target={{ account: account.id }} />
  const given = account?.scopes ?? (provider.kind === 'api-key' ? [] : provider.scopes)
  const more = provider.kind !== 'api-key' && scopes.some((scope) => !given.includes(scope))
  return (
    <ConnectButton
      provider={provider.id}
      kind="secondary"
      size="small"
      variant="compact"
      {...(account && { accountId: account.id, accountLabel: account.label })}
      {...(more && { scopes: [...new Set([...given, ...scopes])] })}
      {...(trouble === 'narrower' && { 'aria-label': `${words.readiness.giveAccess}: ${name}` })}
    >
      {trouble === 'narrower' ? words.readiness.giveAccess : undefined}
    </ConnectButton>
  )
}

interface ToolRowProps {
  agent: string
  tool: ReadyTool
  account: ConnectedAccount | undefined
  provider: Provider | undefined
  duration: number
  /** What is wrong is said of the account, or of the agent. */
  isPlain: boolean
}

function ToolRow({ agent, tool, account, provider, duration, isPlain }: ToolRowProps) {
  const words = useAgentMessages()
  const messages = useFirstMessages()
  const now = useNow()
  const change = useChange()
  const id = useId()
  const { state, title, endsAt, missingScopes = [], depends, canLend } = tool
  const labels = missingScopes.map((scope) => (provider ? meaningOf(messages, provider, scope) : scope))
  const details = [
    labels.length > 0 && words.readiness.needs(new Intl.ListFormat(messages.locale).format(labels.map(visibleLine))),
    endsAt !== undefined && endsAt !== account?.expiresAt && words.ends(untilWords(endsAt, now, messages.locale)),
    state === 'never' && whyNever(words, tool),
    state === 'asks' && tool.effect === 'destructive' && words.effects.destructive,
    depends && words.preview.depends,
  ].filter(Boolean)
  const lend = () => {
    const lasts = lendingOf(duration)
    if (change.isPending || lasts === undefined || !account) return
    const { tool: name, version } = tool
    const until = Date.now() + lasts
    change.mutate({ agent, of: { account: account.id }, tool: name, version, decision: 'allow', until })
  }
  return (
    <li>
      <ToolTitle title={title} />
      {!isPlain && (
        <span className="latchkey-tool-facts">
          <span className="latchkey-status" data-ready={LOOKS[state]}>
            {words.readyStates[state]}
          </span>
          {details.length > 0 && <span className="latchkey-hint">{details.join(' · ')}</span>}
        </span>
      )}
      {canLend && <SmallButton label={words.lendShort} name={words.lend(shownTitle(title))} onPress={lend} />}
      <Problem id={`${id}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </li>
  )
}

const LOOKS = {
  ...{ ok: 'ok', asks: 'asks', never: 'never' },
  ...{ missing: 'mend', narrower: 'mend', 'ends-early': 'mend' },
} as const

function whyNever({ readiness, presets }: ReturnType<typeof useAgentMessages>, { because }: ReadyTool) {
  if (!because) return readiness.notGiven
  if (because.by === 'preset') return readiness.byPreset(presets[because.preset])
  return because.by === 'rule' && readiness.byRule
}

/** Says which account ends first. */
function Foot({ outcome: { helds } }: { outcome: Outcome }) {
  const { readiness } = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  if (helds.length === 0) return <p className="latchkey-access-empty">{readiness.noTools}</p>
  const ends = helds.flatMap(({ account, trouble }) => {
    const at = account?.renewable ? undefined : account?.expiresAt
    return account && at !== undefined && at > now && !trouble ? [{ label: account.label, at }] : []
  })
  const [first] = ends.sort((one, other) => one.at - other.at)
  if (!first) return null
  return (
    <p className="latchkey-access-empty">
      {readiness.firstEnd(visibleLine(first.label), untilWords(first.at, now, locale))}
    </p>
  )
}
