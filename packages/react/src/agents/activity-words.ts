import type { Provider } from '@latchkey/core'
import type { Activity as Use } from '@latchkey/core/agents'
import type { AgentMessages } from '../messages/agents.ts'
import { visibleLine } from './plain.ts'

const member = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

/** What was done without a tool. A newer server may have a word for it that this page does not know. */
export const whatOf = ({ actions, leak }: AgentMessages, { action }: Use): string =>
  action === 'leak' ? leak : (member(actions, action === 'end' ? 'use' : action) ?? visibleLine(action))

/** What became of an entry, in words. */
interface Result {
  /** Absent where the row says all. */
  word?: string | undefined
  shape?: 'allow' | 'ask' | 'never' | 'failed' | 'stopped' | undefined
  lines: readonly string[]
}

/** @param when says a moment in words. */
export function resultOf(words: AgentMessages, use: Use, when: (at: string) => string): Result {
  const { lines, ...result } = outcomeOf(words, use, when)
  const { edited } = use
  const more = [whyOf(words, use), edited === undefined ? undefined : words.editedNames(visibleLine(edited))]
  return { ...result, lines: [...lines, ...more.filter((line) => line !== undefined)] }
}

/** Whether an entry points at something that can be looked at: a request, or an exception. */
export const hasDetails = ({ action, request, rule }: Use): boolean =>
  ['use', 'deny', 'ask', 'answer'].includes(action) && (request !== undefined || rule?.startsWith('rule:') === true)

/** What decided, where that says more than the rest. Undefined if it is not known. */
function whyOf(words: AgentMessages, { action, reason, request, rule = '' }: Use): string | undefined {
  if (action === 'use' && request !== undefined) return words.because.yes
  if (!['use', 'ask'].includes(action) && !(action === 'deny' && reason === 'access_denied')) return undefined
  const [by = '', what = ''] = rule.split(':')
  if (by === 'preset') return words.because.preset(member(words.presets, what) ?? visibleLine(what))
  if (by === 'unknown') return member(words.because.unknown, what)
  return by === 'rule' || by === 'stopped' || by === 'paused' ? words.because[by] : undefined
}

function outcomeOf(words: AgentMessages, use: Use, when: (at: string) => string): Result {
  const { action, outcome, reason, lease, until } = use
  if (outcome === 'failed') return failureOf(words, use)
  if (action === 'rule') return changeOf(words, use, when)
  if (action === 'ask') return { word: words.asked, shape: 'ask', lines: [] }
  // What decided says it better.
  const isSaid = outcome !== 'denied' || reason === undefined || whyOf(words, use) !== undefined
  const lines = isSaid ? [] : [reasonOf(words, reason)]
  if (action === 'answer' && outcome === 'allowed') {
    return { word: words.approved, shape: 'allow', lines: holds(words, lease, until, when) }
  }
  if (action === 'answer') return { word: words.denied, shape: 'never', lines }
  // What the person did is done.
  if (outcome === 'allowed' && ['stop', 'resume', 'connect', 'revoke'].includes(action)) return { lines }
  return { word: words.outcomes[outcome], shape: outcome === 'allowed' ? 'allow' : 'never', lines }
}

/** A use that was stopped did not fail, and of one whose end is not known nobody can say that it did. */
function failureOf(words: AgentMessages, { reason = 'other', effect }: Use): Result {
  if (reason === 'cancelled') return { word: words.stopped, shape: 'stopped', lines: [] }
  if (reason === 'cut') return { word: words.stopped, shape: 'stopped', lines: [words.mayHave] }
  const lines = [reasonOf(words, reason)]
  if (reason === 'unknown') return { word: words.mayHave, shape: 'failed', lines }
  const isUnsure = /^http_5\d\d$/.test(reason) && effect !== 'read'
  return { word: words.outcomes.failed, shape: 'failed', lines: isUnsure ? [...lines, words.mayHave] : lines }
}

/** What the person allows from then on. */
function changeOf(words: AgentMessages, use: Use, when: (at: string) => string): Result {
  const { preset, decision, lease, until } = use
  if (preset) return { word: words.presets[preset], lines: [] }
  if (lease === 'ended') return { word: words.ruleEnded, lines: decision ? [words.choices[decision]] : [] }
  if (!decision) return { lines: [] }
  return { word: words.choices[decision], shape: decision, lines: holds(words, lease, until, when) }
}

/** How long it holds. */
function holds(words: AgentMessages, lease: Use['lease'], until: Use['until'], when: (at: string) => string): string[] {
  if (until !== undefined) return [words.ruleUntil(when(until))]
  return lease === undefined || lease === 'ended' ? [] : [words.leases[lease]]
}

/** A code, or the status that a service answered with. */
function reasonOf({ reasons, statuses }: AgentMessages, code: string): string {
  const status = Number(/^http_(\d{3})$/.exec(code)?.[1] ?? 0)
  if (status === 0) return member(reasons, code) ?? reasons.other
  if (status === 401 || status === 403) return statuses.refused(status)
  if (status === 404 || status === 410) return statuses.absent(status)
  if (status === 429) return statuses.busy(status)
  return status >= 500 ? statuses.fault(status) : statuses.other(status)
}

const hostOf = (address: string) => (URL.canParse(address) ? new URL(address).host || address : address)

/** Where a secret was sent to, if that is not where its provider's API is. The page names the provider already. */
export function shownHost(host: string | undefined, provider: Provider | undefined): string | undefined {
  if (host === undefined) return undefined
  const shown = hostOf(host)
  return provider && shown === hostOf(provider.apiBaseUrl) ? undefined : shown
}
