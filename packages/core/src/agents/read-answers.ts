// Reads what a person's page says of rules, requests and stops. Anything unknown in it makes it malformed.
import { isObject } from '../json.ts'
import type { Answer, Lease, RuleChange, StopTarget } from './oversight.ts'
import {
  decisionOf,
  effectOf,
  finite,
  hasOnly,
  oneOf,
  preset as presetOf,
  readConditions,
  readOf,
  word,
} from './read-rules.ts'

/** A person explains in a sentence or two. */
const MAX_REASON = 500

/** Undefined if any part is malformed. */
export function readRuleChange(value: unknown): RuleChange | undefined {
  const agent = isObject(value) ? word(value.agent) : undefined
  if (!isObject(value) || agent === undefined) return undefined
  if (Object.hasOwn(value, 'end')) {
    const end = word(value.end)
    return end !== undefined && hasOnly(value, ['agent', 'end']) ? { agent, end } : undefined
  }
  const of = readOf(value.of)
  if (Object.hasOwn(value, 'preset')) {
    const preset = presetOf(value.preset)
    return of && preset && hasOnly(value, ['agent', 'of', 'preset']) ? { agent, of, preset } : undefined
  }
  if (!hasOnly(value, ['agent', 'of', 'tool', 'version', 'effect', 'decision', 'when', 'until'])) return undefined
  const [tool, version, decision] = [word(value.tool), word(value.version), decisionOf(value.decision)]
  const when = value.when === undefined ? undefined : readConditions(value.when)
  const [effect, until] = [effectOf(value.effect), finite(value.until)]
  if (!of || tool === undefined || !decision) return undefined
  if ((value.when !== undefined && !when) || (value.version !== undefined && version === undefined)) return undefined
  if ((value.until !== undefined && until === undefined) || (value.effect !== undefined && !effect)) return undefined
  return {
    ...{ agent, of, tool, decision },
    ...(effect && { effect }),
    ...(when && { when }),
    ...(version !== undefined && { version }),
    ...(until !== undefined && { until }),
  }
}

/** Undefined if any part is malformed. */
export function readAnswer(value: unknown): Answer | undefined {
  if (!hasOnly(value, ['answer', 'lease', 'args', 'reason', 'proof'])) return undefined
  const answer = oneOf<Answer['answer']>('yes', 'no')(value.answer)
  const lease = value.lease === undefined ? undefined : leaseOf(value.lease)
  const { args, reason, proof } = value
  if (!answer || (value.lease !== undefined && !lease) || (args !== undefined && !isObject(args))) return undefined
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > MAX_REASON)) return undefined
  if (proof !== undefined && !isObject(proof)) return undefined
  return { answer, ...(lease && { lease }), ...(args && { args }), ...(reason && { reason }), ...(proof && { proof }) }
}

function leaseOf(value: unknown): Lease | undefined {
  if (!isObject(value)) return oneOf<'once' | 'chat' | 'always'>('once', 'chat', 'always')(value)
  const until = finite(value.until)
  return hasOnly(value, ['until']) && until !== undefined ? { until } : undefined
}

/** Undefined if any part is malformed. */
export function readStopTarget(value: unknown): StopTarget | undefined {
  if (!hasOnly(value, ['agent', 'account', 'everything']) || Object.keys(value).length !== 1) return undefined
  const [agent, account] = [word(value.agent), word(value.account)]
  if (value.everything === true) return { everything: true }
  if (agent !== undefined) return { agent }
  return account === undefined ? undefined : { account }
}
