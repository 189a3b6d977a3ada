'use client'
import type { ConnectedAccount } from '@latchkey/core'
import type {
  Agent,
  AgentTool,
  Comparison,
  Decision,
  Effect,
  PersonRules,
  Rule,
  RuleChange,
} from '@latchkey/core/agents'
import { presetFor } from '@latchkey/core/agents'
import { useEffect, useId, useRef } from 'react'
import { useAgentAccounts, useProvider } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { titleOf, useMatter } from './exception-line.tsx'
import { untilWords, useNow } from './now.ts'
import { sentenceOf, useAgentMessages, useChange } from './oversight.tsx'
import { DecisionWord, Segments, ToolTitle } from './parts.tsx'
import { shownTitle, visibleLine } from './plain.ts'
import { exceptionsOf, rulesOf, stoppedAt, verdictsOf } from './ruled.ts'

const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive']

interface DetailsProps {
  person: PersonRules
  /** The agent, its parent and so on. */
  line: readonly [Agent, ...Agent[]]
  account: ConnectedAccount
}

/** The tools of an agent for an account, and what differs from the preset. */
export function AccessDetails(props: DetailsProps) {
  return (
    <>
      <Tools {...props} />
      <Exceptions {...props} />
    </>
  )
}

/** The tools for an account, by what they do. */
function Tools({ person, line, account }: DetailsProps) {
  const words = useAgentMessages()
  const tools = line[0].tools.filter(({ provider }) => provider === account.provider)
  const { accounts: given } = useAgentAccounts(line[0].id)
  const id = useId()
  if (tools.length === 0) return <p className="latchkey-hint">{words.noTools}</p>
  const isStopped = [
    { everything: true as const },
    { account: account.id },
    ...line.map(({ id }) => ({ agent: id })),
  ].some((target) => stoppedAt(person, target) !== undefined)
  const isOff = presetFor(rulesOf(person, line[0]), account) === 'off'
  const isLeftOut = given.some((one) => one.id === account.id && !one.included)
  const still = isStopped ? 'stopped' : isOff ? 'off' : isLeftOut && 'notInChat'
  const groups = EFFECTS.map((effect) => {
    const some = tools.filter((tool) => tool.effect === effect)
    if (some.length === 0) return null
    return (
      <section key={effect} aria-labelledby={`${id}${effect}`} className="latchkey-tools">
        <p id={`${id}${effect}`} className="latchkey-group">
          {words.effects[effect]}
        </p>
        {effect === 'destructive' && <p className="latchkey-hint">{words.neverForGood}</p>}
        <ul aria-labelledby={`${id}${effect}`}>
          {some.map((tool) => (
            <Tool key={tool.name} person={person} line={line} account={account} tool={tool} />
          ))}
        </ul>
      </section>
    )
  })
  return (
    <>
      {still && <p className="latchkey-line">{words.notUsed[still]}</p>}
      <p className="latchkey-hint">{words.choicesHold(visibleLine(account.label))}</p>
      {groups}
    </>
  )
}

/** One tool: what becomes of a call, and what should. */
function Tool({ person, line, account, tool }: DetailsProps & { tool: AgentTool }) {
  const words = useAgentMessages()
  const now = useNow()
  const change = useChange()
  const id = useId()
  const { own, all, chosen } = verdictsOf(person, line, account, tool, now)
  const asked = change.isPending && 'decision' in change.variables ? change.variables.decision : undefined
  // What cannot be undone is never allowed for good.
  const options = (['allow', 'ask', 'never'] as const).filter(
    (one) => one !== 'allow' || tool.effect !== 'destructive' || chosen === 'allow',
  )
  const { name, version, effect } = tool
  const choose = (decision: Decision) =>
    change.isPending ||
    change.mutate({
      ...{ agent: line[0].id, of: { account: account.id }, tool: name, version, effect, decision },
    } satisfies RuleChange)
  const { because } = own
  return (
    <li>
      <ToolTitle title={tool.title} id={id} />
      <span className="latchkey-tool-facts">
        <DecisionWord decision={all.decision} />
        {because.by === 'unknown' && (
          <span className="latchkey-tag">{because.what === 'tool' ? words.newTool : words.changedTool}</span>
        )}
        {all.agent > 0 && (
          <span className="latchkey-hint">{words.limitedBy(visibleLine(line[all.agent]?.name ?? ''))}</span>
        )}
      </span>
      <Segments
        labelledBy={id}
        value={asked ?? chosen}
        options={options.map((one) => [one, words.choices[one]])}
        onChange={choose}
      />
      <Problem id={`${id}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </li>
  )
}

/** What differs from the preset, and how long. */
function Exceptions({ person, line: [agent], account }: DetailsProps) {
  const words = useAgentMessages()
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const exceptions = exceptionsOf(rulesOf(person, agent), account, useNow())
  /** Where the exception was that the person ends: its button goes, and the focus with it. */
  const ended = useRef<{ id: string; at: number }>(undefined)
  useEffect(() => {
    const gone = ended.current
    if (!gone || exceptions.some((rule) => rule.id === gone.id)) return
    ended.current = undefined
    if (document.activeElement !== document.body) return
    const left = list.current?.querySelectorAll('button')
    const next = left?.[Math.min(gone.at, left.length - 1)]
    ;(next ?? list.current?.closest('.latchkey-disclosure')?.querySelector('button'))?.focus()
  }, [exceptions])
  return (
    <div ref={list}>
      {exceptions.length > 0 && (
        <section aria-labelledby={id} className="latchkey-tools">
          <p id={id} className="latchkey-group">
            {words.exceptionsTitle}
          </p>
          <ul aria-labelledby={id}>
            {exceptions.map((rule, at) => (
              <Exception
                key={rule.id}
                agent={agent}
                account={account}
                rule={rule}
                onEnd={() => {
                  ended.current = { id: rule.id, at }
                }}
              />
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

interface ExceptionProps {
  agent: Agent
  account: ConnectedAccount
  rule: Rule
  onEnd: () => void
}

function Exception({ agent, account, rule, onEnd }: ExceptionProps) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  const change = useChange()
  const id = useId()
  const { of, reach, decision, until, chat, when = {} } = rule
  const provider = useProvider('provider' in of ? of.provider : '')
  const title = titleOf(agent, rule)
  const matter = useMatter(rule)
  const conditions = Object.entries(when).flatMap(([name, comparison]) =>
    (Object.keys(comparison) as (keyof Comparison)[]).map((kind) => {
      const value = comparison[kind]
      const text = Array.isArray(value) ? value.join(', ') : String(value)
      return words.comparisons[kind](visibleLine(name), visibleLine(text))
    }),
  )
  const withMany = reach ? words.someAccounts : words.allAccounts
  const details = [
    'provider' in of ? withMany(provider?.name ?? visibleLine(of.provider)) : words.asWhom(visibleLine(account.label)),
    ...(conditions.length > 0 ? conditions : [words.anyArguments]),
    until !== undefined
      ? words.ends(untilWords(until, now, locale))
      : chat !== undefined
        ? words.inOneChat
        : words.untilEnded,
  ]
  return (
    <li data-slot="exception">
      {title === undefined ? <span className="latchkey-name">{matter}</span> : <ToolTitle title={title} />}
      <span className="latchkey-tool-facts">
        <DecisionWord decision={decision} />
        <span className="latchkey-line">{details.join(' · ')}</span>
      </span>
      <SmallButton
        label={words.endShort}
        name={words.end(title === undefined ? matter : shownTitle(title))}
        onPress={() => {
          if (change.isPending) return
          onEnd()
          change.mutate({ agent: agent.id, end: rule.id })
        }}
      />
      <Problem id={`${id}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </li>
  )
}
