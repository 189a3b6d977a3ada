'use client'
import type { ConnectedAccount } from '@latchkey/core'
import {
  type Agent,
  type AgentTool,
  type Comparison,
  type Decision,
  type Effect,
  type PersonRules,
  type Preset,
  presetFor,
  type Rule,
  type RuleChange,
} from '@latchkey/core/agents'
import { type ReactNode, useId, useRef, useState } from 'react'
import { useProvider } from '../hooks.ts'
import { later } from '../later.tsx'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { agoWords, untilWords, useNow } from './now.ts'
import { sentenceOf, useAgentMessages, useChange, useLastUses } from './oversight.tsx'
import { DecisionWord, Disclosure, Given, Segments, ToolTitle } from './parts.tsx'
import { shownTitle, visibleLine } from './plain.ts'
import { exceptionsOf, rulesOf, stoppedAt, verdictsOf } from './ruled.ts'

const usePreview = /* @__PURE__ */ later(() => import('./access-preview.lazy.tsx'), 'Preview')

const PRESETS: readonly Preset[] = ['read-only', 'ask-before-changes', 'trusted', 'off']
/** Each allows more than those before it. */
const BY_FREEDOM: readonly Preset[] = ['off', 'read-only', 'ask-before-changes', 'trusted']
const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive']

interface AccessRowProps {
  person: PersonRules
  /** The agent, its parent and so on. */
  line: readonly [Agent, ...Agent[]]
  account: ConnectedAccount
  /** What the row is called: one of the two, the other is around it. */
  mark: ReactNode
  name: string
  /** Beside the name. */
  aside?: ReactNode
}

/** What one agent may do with one account: a line, and below it all there is to choose. */
export function AccessRow({ person, line, account, mark, name, aside }: AccessRowProps) {
  const words = useAgentMessages()
  const { status, locale } = useFirstMessages()
  const now = useNow()
  const uses = useLastUses()?.uses ?? []
  const [open, setOpen] = useState(false)
  const id = useId()
  const [agent] = line
  const rules = rulesOf(person, agent)
  const preset = presetFor(rules, account)
  const exceptions = exceptionsOf(rules, account, now)
  const isStopped = [{ everything: true as const }, { account: account.id }, { agent: agent.id }].some(
    (target) => stoppedAt(person, target) !== undefined,
  )
  const stopper = line.find(({ id }) => stoppedAt(person, { agent: id }) !== undefined)
  const usedAt = uses.find((use) => use.agent === agent.id && use.account === account.id)?.at
  const off = isStopped
    ? words.stopped
    : stopper
      ? words.stoppedWith(visibleLine(stopper.name))
      : account.status === 'paused' && status.paused
  return (
    <li className="latchkey-access-row" data-preset={preset}>
      <div className="latchkey-row" data-slot="access">
        <span className="latchkey-mark" data-slot="mark">
          {mark}
        </span>
        <div className="latchkey-title">
          <span className="latchkey-name">
            <Given name={name} />
          </span>
          {aside}
        </div>
        <p className="latchkey-line">
          {[
            off,
            words.presets[preset],
            exceptions.length > 0 && words.exceptionCount(exceptions.length),
            usedAt !== undefined && now > 0 && words.used(agoWords(usedAt, now, locale)),
          ]
            .filter(Boolean)
            .join(' · ')}
        </p>
        <div className="latchkey-actions">
          <SmallButtonOf name={name} open={open} controls={id} onPress={() => setOpen(!open)} />
        </div>
      </div>
      {open && (
        <div id={id} className="latchkey-access-body">
          <Presets person={person} agent={agent} account={account} preset={preset} />
          <Disclosure label={words.detailsShort} name={`${words.detailsShort}: ${visibleLine(name)}`}>
            <Tools person={person} line={line} account={account} />
            <Exceptions agent={agent} exceptions={exceptions} />
          </Disclosure>
        </div>
      )}
    </li>
  )
}

interface OpenerProps {
  name: string
  open: boolean
  controls: string
  onPress: () => void
}

function SmallButtonOf({ name, open, controls, onPress }: OpenerProps) {
  const words = useAgentMessages()
  return (
    <button
      type="button"
      className="latchkey-button latchkey-fold"
      data-kind="secondary"
      data-size="small"
      aria-label={words.change(visibleLine(name))}
      aria-expanded={open}
      aria-controls={open ? controls : undefined}
      onClick={onPress}
    >
      {words.changeShort}
    </button>
  )
}

interface PresetsProps {
  person: PersonRules
  agent: Agent
  account: ConnectedAccount
  preset: Preset
}

/** A preset that was chosen here, and the rules from before. */
interface Picked {
  preset: Preset
  before: PersonRules
}

/** The four presets, each with what it means. One that allows more holds after the person saw what that is. */
function Presets({ person, agent, account, preset }: PresetsProps) {
  const words = useAgentMessages()
  const change = useChange()
  const [picked, setPicked] = useState<Picked>()
  const [Preview] = usePreview(picked !== undefined)
  const group = useRef<HTMLFieldSetElement>(null)
  const name = useId()
  const shown = picked?.preset ?? preset
  const apply = (next: Preset, onSuccess?: () => void) =>
    change.mutate(
      { agent: agent.id, of: { account: account.id }, preset: next },
      { onError: () => setPicked(undefined), ...(onSuccess && { onSuccess }) },
    )
  const choose = (next: Preset) => {
    if (change.isPending) return
    change.reset()
    setPicked({ preset: next, before: person })
    // What allows less holds at once: nobody who leaves now should be wrong about it.
    if (BY_FREEDOM.indexOf(next) < BY_FREEDOM.indexOf(preset)) apply(next)
  }
  // The buttons go, and the focus with them.
  const refocus = () => group.current?.querySelector<HTMLInputElement>('input:checked')?.focus()
  return (
    <fieldset ref={group} className="latchkey-presets">
      <legend>{words.access(visibleLine(agent.name), visibleLine(account.label))}</legend>
      {PRESETS.map((one) => (
        <label key={one}>
          <input
            type="radio"
            name={name}
            checked={one === shown}
            aria-labelledby={`${name}${one}`}
            aria-describedby={`${name}${one}means`}
            onChange={() => choose(one)}
          />
          <span id={`${name}${one}`}>{words.presets[one]}</span>
          <span id={`${name}${one}means`} className="latchkey-line">
            {words.presetMeans[one]}
          </span>
        </label>
      ))}
      {picked && Preview && (picked.preset !== preset || picked.before !== person) && (
        <div className="latchkey-picked">
          <Preview agent={agent.id} account={account.id} before={picked.before} change={picked.preset} />
          {BY_FREEDOM.indexOf(picked.preset) > BY_FREEDOM.indexOf(preset) && (
            <div className="latchkey-actions">
              <SmallButton
                label={words.cancel}
                onPress={() => {
                  setPicked(undefined)
                  group.current?.querySelector<HTMLInputElement>(`[aria-labelledby="${name}${preset}"]`)?.focus()
                }}
              />
              <SmallButton
                kind="primary"
                label={words.preview.choose(words.presets[picked.preset])}
                onPress={() => change.isPending || apply(picked.preset, refocus)}
              />
            </div>
          )}
        </div>
      )}
      <Problem id={`${name}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </fieldset>
  )
}

interface ToolsProps {
  person: PersonRules
  line: readonly [Agent, ...Agent[]]
  account: ConnectedAccount
}

/** The tools for an account, by what they do. */
function Tools({ person, line, account }: ToolsProps) {
  const words = useAgentMessages()
  const tools = line[0].tools.filter(({ provider }) => provider === account.provider)
  const id = useId()
  if (tools.length === 0) return <p className="latchkey-hint">{words.noTools}</p>
  return EFFECTS.map((effect) => {
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
}

/** One tool: what becomes of a call, and what should. */
function Tool({ person, line, account, tool }: ToolsProps & { tool: AgentTool }) {
  const words = useAgentMessages()
  const now = useNow()
  const change = useChange()
  const id = useId()
  const { own, all } = verdictsOf(person, line, account, tool, now)
  const asked = change.isPending && 'decision' in change.variables ? change.variables.decision : undefined
  // What cannot be undone is never allowed for good.
  const options = (['allow', 'ask', 'never'] as const).filter(
    (one) => one !== 'allow' || tool.effect !== 'destructive' || own.decision === 'allow',
  )
  const choose = (decision: Decision) =>
    change.isPending ||
    change.mutate({ agent: line[0].id, of: { account: account.id }, tool: tool.name, decision } satisfies RuleChange)
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
        value={asked ?? own.decision}
        options={options.map((one) => [one, words.choices[one]])}
        onChange={choose}
      />
      <Problem id={`${id}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </li>
  )
}

interface ExceptionsProps {
  agent: Agent
  exceptions: readonly Rule[]
}

/** What differs from the preset, and how long. */
function Exceptions({ agent, exceptions }: ExceptionsProps) {
  const words = useAgentMessages()
  const id = useId()
  if (exceptions.length === 0) return null
  return (
    <section aria-labelledby={id} className="latchkey-tools">
      <p id={id} className="latchkey-group">
        {words.exceptionsTitle}
      </p>
      <ul aria-labelledby={id}>
        {exceptions.map((rule) => (
          <Exception key={rule.id} agent={agent} rule={rule} />
        ))}
      </ul>
    </section>
  )
}

function Exception({ agent, rule }: { agent: Agent; rule: Rule }) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  const change = useChange()
  const id = useId()
  const { of, subject, decision, until, chat, when = {} } = rule
  const provider = useProvider('provider' in of ? of.provider : '')
  const tool = subject !== '*' && 'tool' in subject ? subject.tool : undefined
  const title = agent.tools.find(({ name }) => name === tool)?.title ?? tool
  const everything = words.everything[subject !== '*' && 'effect' in subject ? subject.effect : 'all']
  const conditions = Object.entries(when).flatMap(([name, comparison]) =>
    (Object.keys(comparison) as (keyof Comparison)[]).map((kind) => {
      const value = comparison[kind]
      const text = Array.isArray(value) ? value.join(', ') : String(value)
      return words.comparisons[kind](visibleLine(name), visibleLine(text))
    }),
  )
  const details = [
    ...conditions,
    'provider' in of && words.allAccounts(provider?.name ?? visibleLine(of.provider)),
    until !== undefined
      ? words.ends(untilWords(until, now, locale))
      : chat !== undefined
        ? words.inOneChat
        : words.untilEnded,
  ]
  return (
    <li data-slot="exception">
      {title === undefined ? <span className="latchkey-name">{everything}</span> : <ToolTitle title={title} />}
      <span className="latchkey-tool-facts">
        <DecisionWord decision={decision} />
        <span className="latchkey-line">{details.filter(Boolean).join(' · ')}</span>
      </span>
      <SmallButton
        label={words.endShort}
        name={words.end(title === undefined ? everything : shownTitle(title))}
        onPress={() => change.isPending || change.mutate({ agent: agent.id, end: rule.id })}
      />
      <Problem id={`${id}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </li>
  )
}
