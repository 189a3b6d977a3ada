// Reads rules that come from storage or from a page. A rule with anything unknown in it is malformed: what is not
// understood might have been what limits it.
import { isObject } from '../json.ts'
import type { Comparison, Conditions } from './conditions.ts'
import type { PersonRules, StopMarks } from './oversight.ts'
import type { AgentRules, Decision, Effect, Preset, Rule } from './rules.ts'

/** A person makes rules one by one. */
const MOST_RULES = 500

/** A value of this type, or undefined. */
export type Read<T> = (value: unknown) => T | undefined

/** Undefined if any part is malformed. Its records have no prototype. */
export function readPersonRules(value: unknown): PersonRules | undefined {
  if (!isObject(value)) return undefined
  const agents = recordOf(value.agents, readAgentRules)
  const stopped = readStops(value.stopped)
  return agents && stopped && { agents, stopped }
}

/** Undefined if any part is malformed. Its records have no prototype. */
export function readAgentRules(value: unknown): AgentRules | undefined {
  if (!isObject(value)) return undefined
  const accounts = recordOf(value.accounts, preset)
  const providers = recordOf(value.providers, preset)
  const rules = listOf(value.rules, readRule)
  const seen = value.seen === undefined ? {} : recordOf(value.seen, (versions) => listOf(versions, word))
  const before = value.before === undefined ? undefined : readBefore(value.before)
  const isStopped = value.stopped === true
  if (value.before !== undefined && !before) return undefined
  if (!accounts || !providers || !rules || !seen || rules.length > MOST_RULES) return undefined
  if (value.stopped !== undefined && !isStopped) return undefined
  return {
    ...{ accounts, providers, rules },
    ...(before && { before }),
    ...(value.seen !== undefined && { seen }),
    ...(isStopped && { stopped: true }),
  }
}

function readBefore(value: unknown): AgentRules['before'] {
  if (!hasOnly(value, ['accounts', 'providers'])) return undefined
  const [accounts, providers] = [recordOf(value.accounts, preset), recordOf(value.providers, preset)]
  return accounts && providers && { accounts, providers }
}

function readStops(value: unknown): StopMarks | undefined {
  if (!isObject(value)) return undefined
  const agents = recordOf(value.agents, finite)
  const accounts = recordOf(value.accounts, finite)
  const everything = finite(value.everything)
  if (!agents || !accounts || (value.everything !== undefined && everything === undefined)) return undefined
  return { agents, accounts, ...(everything !== undefined && { everything }) }
}

export function readRule(value: unknown): Rule | undefined {
  if (!hasOnly(value, ['id', 'of', 'subject', 'decision', 'effect', 'reach', 'until', 'chat', 'when'])) return undefined
  const [id, of, subject] = [word(value.id), readOf(value.of), readSubject(value.subject)]
  const decision = decisionOf(value.decision)
  const [until, chat, when] = [finite(value.until), word(value.chat), readConditions(value.when)]
  const [effect, reach] = [effectOf(value.effect), readReach(value.reach)]
  if (id === undefined || !of || !subject || !decision) return undefined
  if ((value.effect !== undefined && !effect) || (value.reach !== undefined && !reach)) return undefined
  if (value.until !== undefined && until === undefined) return undefined
  if (value.chat !== undefined && chat === undefined) return undefined
  if (value.when !== undefined && !when) return undefined
  return {
    ...{ id, of, subject, decision },
    ...(effect && { effect }),
    ...(reach && { reach }),
    ...(until !== undefined && { until }),
    ...(chat !== undefined && { chat }),
    ...(when && { when }),
  }
}

export function readOf(value: unknown): Rule['of'] | undefined {
  if (!hasOnly(value, ['account', 'provider']) || Object.keys(value).length !== 1) return undefined
  const [account, provider] = [word(value.account), word(value.provider)]
  if (account !== undefined) return { account }
  return provider === undefined ? undefined : { provider }
}

function readReach(value: unknown): Rule['reach'] {
  if (!hasOnly(value, ['only', 'except']) || Object.keys(value).length !== 1) return undefined
  const [only, except] = [listOf(value.only, word), listOf(value.except, word)]
  if (only) return { only }
  return except && { except }
}

function readSubject(value: unknown): Rule['subject'] | undefined {
  if (value === '*') return value
  if (hasOnly(value, ['effect'])) {
    const effect = effectOf(value.effect)
    return effect && { effect }
  }
  if (!hasOnly(value, ['tool', 'version'])) return undefined
  const [tool, version] = [word(value.tool), word(value.version)]
  return tool === undefined || version === undefined ? undefined : { tool, version }
}

/** At least one comparison: without any, a limit would be none. */
export function readConditions(value: unknown): Conditions | undefined {
  const conditions = recordOf(value, readComparison)
  return conditions && Object.keys(conditions).length > 0 ? conditions : undefined
}

const COMPARED: { [Name in keyof Comparison]-?: (value: unknown) => boolean } = {
  equals: (value) => typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value),
  in: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    Array.from<unknown>(value).every((one) => typeof one === 'string' || Number.isFinite(one)),
  startsWith: (value) => typeof value === 'string' && value !== '',
  endsWith: (value) => typeof value === 'string' && value !== '',
  min: Number.isFinite,
  max: Number.isFinite,
}

function readComparison(value: unknown): Comparison | undefined {
  const names = Object.keys(COMPARED) as (keyof Comparison)[]
  if (!hasOnly(value, names) || Object.keys(value).length === 0) return undefined
  return names.every((name) => !Object.hasOwn(value, name) || COMPARED[name](value[name])) ? { ...value } : undefined
}

/** Whether a value is an object with no members but these. */
export const hasOnly = (value: unknown, names: readonly string[]): value is Record<string, unknown> =>
  isObject(value) && Object.keys(value).every((name) => names.includes(name))

function recordOf<T>(value: unknown, read: Read<T>): Record<string, T> | undefined {
  if (!isObject(value)) return undefined
  const record = Object.create(null) as Record<string, T>
  for (const [key, one] of Object.entries(value)) {
    const member = read(one)
    if (word(key) === undefined || member === undefined) return undefined
    record[key] = member
  }
  return record
}

export function listOf<T>(value: unknown, read: Read<T>): T[] | undefined {
  if (!Array.isArray(value)) return undefined
  const list: T[] = []
  for (const one of value) {
    const member = read(one)
    if (member === undefined) return undefined
    list.push(member)
  }
  return list
}

/** An id or a name: some text that is not a member which every object inherits. */
export const word: Read<string> = (value) =>
  typeof value === 'string' && value !== '' && !(value in Object.prototype) ? value : undefined

export const finite: Read<number> = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)

export const oneOf =
  <T extends string>(...words: readonly T[]): Read<T> =>
  (value) =>
    words.find((one) => one === value)

export const preset = oneOf<Preset>('read-only', 'ask-before-changes', 'trusted', 'off')
export const decisionOf = oneOf<Decision>('allow', 'ask', 'never')
export const effectOf = oneOf<Effect>('read', 'write', 'destructive')
