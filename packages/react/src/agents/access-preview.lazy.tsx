'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import {
  type Agent,
  accessPreview,
  type PersonRules,
  type Preset,
  type PreviewChange,
  type PreviewItem,
  previewDiff,
  type Rule,
} from '@latchkey/core/agents'
import { withPreset } from '@latchkey/core/internal'
import { useEffect, useId, useRef, useState } from 'react'
import { ConnectButton } from '../connect/connect-button.tsx'
import { type ConsentMoreProps, readOnlyOf } from '../dialogs/consent-more.ts'
import { useAccount, useAccounts, useKit, useProvider, useSnapshot } from '../hooks.ts'
import { brandMark } from '../ui/icons.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { meaningOf, useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { ExceptionLine } from './exception-line.tsx'
import { useFacts } from './facts.ts'
import { useNow } from './now.ts'
import { useAgentMessages } from './oversight.tsx'
import { BoneCard, Bones, DecisionWord, Disclosure, Failed, Given, type Level, ToolTitle } from './parts.tsx'
import { visibleLine } from './plain.ts'
import { endedBetween, findAgent, isGiven, lineOf } from './ruled.ts'

/** Props of `AccessPreview`. */
export interface AccessPreviewProps {
  /** Agent id. */
  agent: string
  /** Id of a connected account. */
  account?: string
  /** Provider id, for an account that is not connected yet. */
  provider?: string
  /** Scopes that it will have. @default those of the account, else those that the provider asks for */
  scopes?: readonly string[]
  /**
   * What is about to change: another preset, or other rules. It shows the difference then: first what is allowed more, then
   * what is allowed less. `scopes` beside an `account` are such a change, too.
   */
  change?: Preset | PersonRules
  /** Level of the heading. @default 3 */
  headingLevel?: Level
}

/** An item, and a change of it if there is one. */
interface Line {
  item: PreviewItem
  change?: PreviewChange
}

interface PreviewProps extends Omit<AccessPreviewProps, 'headingLevel'> {
  /** The rules before a change that holds already. Absent: it is about to be made, to those of now. */
  before?: PersonRules
}

/** What is shown. Members are absent for what is not there, or not yet. */
interface Shown extends Pick<ReturnType<typeof useFacts>, 'status' | 'retry'> {
  agent: Agent | undefined
  account: ConnectedAccount | undefined
  provider: Provider | undefined
  /** As it is, or as it will be. */
  items?: readonly PreviewItem[]
  /** Present if something is about to change. */
  changes?: readonly PreviewChange[]
  /** Exceptions that end with that. */
  ended?: readonly Rule[]
}

function usePreview({ agent, account: accountId, scopes, change, before, ...props }: PreviewProps): Shown {
  const { agents, person, status, retry } = useFacts()
  const now = useNow()
  const account = useAccount({ accountId: accountId ?? '' })
  const accounts = useAccounts()
  const provider = useProvider(account?.provider ?? props.provider ?? '')
  const rules = before ?? person
  const known = findAgent(agents, agent)
  const state = { status, retry, agent: known, account, provider }
  if (!rules || !provider || !known || (accountId !== undefined && !account)) return state
  const had = account?.scopes ?? (provider.kind === 'api-key' ? [] : provider.scopes)
  const at = account ? { account: account.id } : { provider: provider.id }
  const of = (rules: PersonRules, scopes: readonly string[]) =>
    accessPreview({
      ...{ agents, agent, provider, rules, scopes, now },
      ...(account && { account: { id: account.id, paused: account.status === 'paused' } }),
    })
  const providerOf = (id: string) => accounts.find((one) => one.id === id)?.provider
  const changed = typeof change === 'string' ? withPreset(rules, agent, { of: at, preset: change, providerOf }) : change
  const items = of(changed ?? rules, scopes ?? had)
  const isChange = changed !== undefined || (account !== undefined && scopes !== undefined)
  if (!isChange) return { ...state, items }
  // A scope changes with the tools that need it. It is news by itself only when it comes or goes.
  const comes = (name: string) => had.includes(name) !== (scopes ?? had).includes(name)
  const hasTools = items.some(({ kind }) => kind === 'tool')
  const changes = previewDiff(of(rules, account || !scopes ? had : scopes), items)
  return {
    ...state,
    items,
    changes: changes.filter(({ item }) => isShown(item, hasTools) || comes(item.name)),
    ended: endedBetween(rules, changed ?? rules, known, account ?? { id: '', provider: provider.id }, now),
  }
}

/** Where tools are declared they say what is done: a scope says what its provider would let through. */
const isShown = ({ kind }: PreviewItem, hasTools: boolean) => kind === 'tool' || !hasTools

/** The lists of a preview, without a frame. Says a difference to those who listen. */
export function Preview(props: PreviewProps) {
  const words = useAgentMessages()
  const { status, retry, agent, provider, items, changes, ended = [] } = usePreview(props)
  useSpoken(changes, ended.length)
  if (status === 'loading') return <Bones />
  if (status === 'failed') return <Failed onRetry={retry} />
  if (!agent || !provider || !items) return null
  if (!changes) return <Everything provider={provider} items={items} />
  const of = (kind: PreviewChange['change']): Line[] =>
    changes.filter((one) => one.change === kind).map((change) => ({ item: change.item, change }))
  return (
    <div className="latchkey-preview">
      {changes.length + ended.length === 0 && <p className="latchkey-hint">{words.preview.same}</p>}
      <Lines provider={provider} label={words.preview.gains} lines={of('more')} />
      <Lines provider={provider} label={words.preview.loses} lines={of('less')} />
      <Lines provider={provider} label={words.preview.differs} lines={of('arguments')} />
      <Ended agent={agent} rules={ended} />
      <Disclosure label={props.before ? words.preview.present : words.preview.afterwards}>
        <Everything provider={provider} items={items} />
      </Disclosure>
    </div>
  )
}

/** The exceptions that end with a stricter preset. */
function Ended({ agent, rules }: { agent: Agent; rules: readonly Rule[] }) {
  const { preview } = useAgentMessages()
  const id = useId()
  if (rules.length === 0) return null
  return (
    <div className="latchkey-preview-group">
      <p id={id} className="latchkey-group">
        {preview.ends}
      </p>
      <ul aria-labelledby={id} className="latchkey-scopes" data-missing>
        {rules.map((rule) => (
          <li key={rule.id}>
            <span className="latchkey-line">
              <ExceptionLine agent={agent} rule={rule} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** How much is more and less, in a word each. */
function useSpoken(changes: readonly PreviewChange[] | undefined, ended: number) {
  const { preview } = useAgentMessages()
  const announce = useAnnounce()
  const count = (kind: PreviewChange['change']) => changes?.filter(({ change }) => change === kind).length ?? 0
  const said = [
    [preview.gains, count('more')] as const,
    [preview.loses, count('less')] as const,
    [preview.differs, count('arguments')] as const,
    [preview.ends, ended] as const,
  ].flatMap(([label, number]) => (number > 0 ? [`${label}: ${number}.`] : []))
  const text = changes && (said.join(' ') || preview.same)
  useEffect(() => {
    if (text) announce(text)
  }, [text, announce])
}

interface EverythingProps {
  provider: Provider
  items: readonly PreviewItem[]
}

function Everything({ provider, items }: EverythingProps) {
  const { preview } = useAgentMessages()
  const hasTools = items.some(({ kind }) => kind === 'tool')
  const shown = items.filter((item) => isShown(item, hasTools))
  const can = shown.filter(({ decision }) => decision !== 'never')
  const lines = (some: readonly PreviewItem[]): Line[] => some.map((item) => ({ item }))
  return (
    <div className="latchkey-preview">
      {items.length === 0 && <p className="latchkey-hint">{preview.nothing}</p>}
      <Lines provider={provider} label={preview.reads} lines={lines(can.filter(({ effect }) => effect === 'read'))} />
      <Lines provider={provider} label={preview.changes} lines={lines(can.filter(({ effect }) => effect !== 'read'))} />
      <Lines
        provider={provider}
        label={preview.cannot}
        lines={lines(shown.filter(({ decision }) => decision === 'never'))}
        kind="cannot"
      />
      {hasTools && (
        <Lines
          provider={provider}
          label={preview.scopes(provider.name)}
          lines={lines(items.filter(({ kind }) => kind === 'scope'))}
          kind="scopes"
        />
      )}
    </div>
  )
}

/** So many lines are shown at once. */
const MOST = 8

interface LinesProps {
  provider: Provider
  label: string
  lines: readonly Line[]
  /** `scopes`: what a provider would let through, whatever is asked first. `cannot`: what is not done. */
  kind?: 'scopes' | 'cannot'
}

function Lines({ provider, label, lines, kind }: LinesProps) {
  const words = useAgentMessages()
  const [all, setAll] = useState(false)
  const id = useId()
  const list = useRef<HTMLUListElement>(null)
  if (lines.length === 0) return null
  const shown = all ? lines : lines.slice(0, MOST)
  return (
    <div className="latchkey-preview-group">
      <p id={id} className="latchkey-group">
        {label}
      </p>
      <ul
        ref={list}
        aria-labelledby={id}
        className="latchkey-scopes"
        data-missing={kind === 'cannot' || undefined}
        tabIndex={lines.length > MOST ? -1 : undefined}
      >
        {shown.map((line) => (
          <LineOf
            key={`${line.item.kind} ${line.item.name}`}
            provider={provider}
            isScope={kind === 'scopes'}
            {...line}
          />
        ))}
      </ul>
      {shown.length < lines.length && (
        <button
          type="button"
          className="latchkey-button"
          data-kind="quiet"
          data-size="small"
          onClick={() => {
            setAll(true)
            // The button goes, and the focus would go with it.
            list.current?.focus()
          }}
        >
          {words.moreArguments(lines.length - shown.length)}
        </button>
      )}
    </div>
  )
}

interface LineProps extends Line {
  provider: Provider
  isScope: boolean
}

function LineOf({ provider, item, change, isScope }: LineProps) {
  const { preview, decisions, effects, readyStates } = useAgentMessages()
  const messages = useFirstMessages()
  const { kind, title, name, decision, effect, sensitive, unused, depends, missingScopes } = item
  const hints = [
    kind === 'tool' && effect === 'destructive' && decision !== 'never' && effects.destructive,
    missingScopes && readyStates.narrower,
    depends && !isScope && preview.depends,
    change && preview.was(decisions[change.before]),
    unused && preview.unused,
  ].filter(Boolean)
  return (
    <li data-missing={change?.after === 'never' || undefined}>
      {kind === 'tool' ? <ToolTitle title={title} /> : <Given name={meaningOf(messages, provider, name)} />}
      <span className="latchkey-preview-facts">
        {change && <DecisionWord decision={change.after} />}
        {!change && decision === 'ask' && !isScope && (
          <span className="latchkey-status" data-slot="decision" data-decision="ask">
            {preview.asksFirst}
          </span>
        )}
        {sensitive && <em>{preview.sensitive}</em>}
        {hints.length > 0 && <span className="latchkey-hint">{hints.join(' · ')}</span>}
      </span>
    </li>
  )
}

/** The preview as a card of its own. */
export function PreviewCard({ headingLevel = 3, ...props }: AccessPreviewProps) {
  const words = useAgentMessages()
  const { icons } = useKit()
  const { status, retry, agent, account, provider } = usePreview(props)
  const language = useLanguage()
  const titleId = useId()
  const isKnown = useSnapshot(({ status }) => status !== 'loading')
  if (!isKnown || status === 'loading') return <BoneCard />
  const isGone = !provider || (props.account !== undefined && !account) || (status === 'ready' && !agent)
  if (isGone) return null
  const Heading = `h${headingLevel}` as const
  return (
    <section
      {...language}
      className="latchkey latchkey-card latchkey-access"
      aria-labelledby={agent ? titleId : undefined}
    >
      {agent && (
        <div className="latchkey-access-head">
          <span className="latchkey-mark">{brandMark(provider, icons)}</span>
          <div className="latchkey-title">
            <Heading id={titleId} className="latchkey-name">
              {words.access(visibleLine(agent.name), visibleLine(account?.label ?? provider.name))}
            </Heading>
            {account && <p className="latchkey-line">{provider.name}</p>}
          </div>
        </div>
      )}
      <div className="latchkey-preview-body">
        {/* What failed is loaded again by whatever mounts next, so nothing that loads it is mounted here. */}
        {status === 'failed' ? <Failed onRetry={retry} /> : <Preview {...props} />}
        {!account && <ReadOnly provider={provider} scopes={props.scopes} />}
      </div>
    </section>
  )
}

interface ReadOnlyProps {
  provider: Provider
  scopes: readonly string[] | undefined
}

/** Connects an account that can change nothing, where that is less than what would be asked for. */
function ReadOnly({ provider, scopes }: ReadOnlyProps) {
  const { preview } = useAgentMessages()
  const less = readOnlyOf(provider, scopes)
  if (!less) return null
  return (
    <ConnectButton
      provider={provider.id}
      scopes={less}
      intent="add-account"
      kind="secondary"
      size="small"
      consent={false}
    >
      {preview.readOnly(provider.name)}
    </ConnectButton>
  )
}

/** What each agent could do with what a person is about to consent to. */
export function ConsentPreview({ provider, scopes, account: label }: ConsentMoreProps) {
  const words = useAgentMessages()
  const accounts = useAccounts()
  const { agents } = useFacts()
  const account = accounts.find((one) => one.provider === provider && one.label === label)
  const given = agents.filter((agent) => isGiven(lineOf(agents, agent), provider))
  return given.map(({ id, name }) => (
    <Disclosure key={id} label={words.preview.could(visibleLine(name))}>
      <Preview agent={id} scopes={scopes} {...(account ? { account: account.id } : { provider })} />
    </Disclosure>
  ))
}
