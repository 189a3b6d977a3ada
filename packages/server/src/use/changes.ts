import type { Effect, PersonRules, RuleChange, StopReceipt, StopTarget } from '@latchkey/core/agents'
import { isObject, type Rule, rulesOf, withAgent, withPreset } from '@latchkey/core/server'
import type { AuditEvent } from '../vault/audit.ts'
import { randomId } from './ledger.ts'
import { aboutRule, annul, forbids, holdsFor, LONGEST_LEASE, NOT_ALLOWED_NOW, stateOf, withSeen } from './requests.ts'
import { isLease, refuse, type StoredRequest, type Turn, withRule } from './turn.ts'

/** A member that a `never` has, which holds for every version. */
const EVERY_VERSION = '*'

/**
 * Changes rules as their person says, and denies what waits and is forbidden from now on: a yes would be worth nothing.
 *
 * @throws LatchkeyError `invalid_request` for what is no rule.
 */
export async function change(turn: Turn, given: RuleChange): Promise<PersonRules> {
  const rules = await changed(turn, given)
  for (const stored of await turn.documents.all('request')) {
    if (stateOf(stored, turn.now) !== 'waiting' || !(await forbids({ ...turn, rules }, stored))) continue
    await annul(turn, { ...stored, shown: { ...stored.shown, withdrawn: true } }, NOT_ALLOWED_NOW)
  }
  return rules
}

async function changed(turn: Turn, given: RuleChange): Promise<PersonRules> {
  const { rules } = turn
  const { agent } = given
  const about: AuditEvent = { action: 'rule', agent, outcome: 'allowed' }
  if ('end' in given) {
    const ended = rulesOf(rules, agent).rules.find(({ id }) => id === given.end)
    await turn.record({ ...about, ...(ended && aboutRule(ended)), rule: `end:${given.end}`, lease: 'ended' })
    return turn.write(withAgent(rules, agent, (old) => ({ rules: old.rules.filter(({ id }) => id !== given.end) })))
  }
  const { of } = given
  if (!isObject(of)) throw refuse('A rule is about an account or a provider.')
  if ('preset' in given) {
    const { preset } = given
    await turn.record({ ...about, ...of, preset, rule: `preset:${preset}` })
    return turn.write(withPreset(rules, agent, { of, preset, providerOf: await providersOf(turn, agent, of) }))
  }
  const { tool, decision, when, until } = given
  const isTimely = until === undefined || (until > turn.now && until <= turn.now + LONGEST_LEASE)
  if (!isTimely) throw refuse('A permission for some time ends within 24 hours.')
  const { version, effect } = await versionOf(turn, given)
  if (version === undefined && decision !== 'never') throw refuse('No version of this tool was seen yet.')
  const subject = { tool, version: version ?? EVERY_VERSION }
  // A `never` is about every version, whatever it does.
  const limits = { ...(effect && decision !== 'never' && { effect }), ...(when && { when }), ...(until && { until }) }
  const rule: Rule = { id: randomId(), of, subject, decision, ...limits }
  await turn.record({ ...about, ...aboutRule(rule), rule: `rule:${rule.id}`, ...holdsFor(rule) })
  const next = withAgent(rules, agent, (old) => ({ rules: withRule(old.rules, rule) }))
  return turn.write(version === undefined ? next : withSeen(next, agent, tool, version))
}

/** The version of a tool that a rule is made for, and what it does, as far as that is known. */
async function versionOf(
  { documents, rules }: Turn,
  { agent, tool, version, effect }: Extract<RuleChange, { tool: string }>,
): Promise<{ version?: string | undefined; effect?: Effect | undefined }> {
  const asked = (await documents.all('request')).map(({ shown }) => shown).filter((one) => one.tool.name === tool)
  const [newest] = asked.sort((a, b) => b.createdAt - a.createdAt)
  const { seen = {} } = rulesOf(rules, agent)
  const known = version ?? newest?.tool.version ?? (Object.hasOwn(seen, tool) ? seen[tool]?.at(-1) : undefined)
  return { version: known, effect: effect ?? asked.find((one) => one.tool.version === known)?.tool.effect }
}

/** The providers of the accounts that a choice of a preset may be about. */
async function providersOf({ account, documents, rules }: Turn, agent: string, of: Rule['of']) {
  const { accounts, rules: exceptions } = rulesOf(rules, agent)
  const ruled = exceptions.flatMap((rule) => ('account' in rule.of ? [rule.of.account] : []))
  const ids = 'account' in of ? [of.account] : [...new Set([...Object.keys(accounts), ...ruled])]
  // Of an account that pages send, the requests about it say more than the vault.
  const known = new Map((await documents.all('request')).map(({ shown }) => [shown.account, shown.provider]))
  for (const row of await Promise.all(ids.map(account))) if (row) known.set(row.account, row.provider)
  return (id: string) => known.get(id)
}

/** Whether a stop is about a request. */
function concerns(target: StopTarget, { agents, shown }: StoredRequest): boolean {
  if ('agent' in target) return agents.includes(target.agent)
  return 'account' in target ? target.account === shown.account : true
}

const eventOf = (target: StopTarget): Pick<AuditEvent, 'agent' | 'account' | 'rule'> =>
  'everything' in target ? { rule: 'everything' } : target

/** Stops an agent, an account or everything: requests are denied, approvals void, leases over. */
export async function stop(turn: Turn, given: StopTarget): Promise<Omit<StopReceipt, 'aborted'>> {
  const { now, documents, rules } = turn
  const target = readTarget(given)
  const receipt = { denied: 0, ended: 0 }
  const over = new Set<string>()
  for (const stored of await documents.all('request')) {
    if (!concerns(target, stored)) continue
    // A child's lease goes with its parent, and only the request knows both.
    if (stored.rule !== undefined) over.add(stored.rule)
    const state = stateOf(stored, now)
    if (state === 'waiting') receipt.denied += 1
    if (state !== 'waiting' && state !== 'approved') continue
    await annul(turn, stored, 'stopped')
  }
  const isOver = (agent: string, rule: Rule) =>
    isLease(rule) &&
    (over.has(rule.id) ||
      (('account' in target ? 'account' in rule.of && rule.of.account === target.account : true) &&
        ('agent' in target ? agent === target.agent : true)))
  let next = rules
  for (const agent of Object.keys(rules.agents)) {
    const old = rulesOf(rules, agent).rules
    const left = old.filter((rule) => !isOver(agent, rule))
    const isCounted = ({ until = now + 1 }: Rule) => until > now
    receipt.ended += old.filter((rule) => isCounted(rule) && !left.includes(rule)).length
    next = withAgent(next, agent, () => ({ rules: left }))
  }
  await turn.record({ action: 'stop', outcome: 'allowed', ...eventOf(target) })
  // What cannot be read stands for a stop of everything, and is left as it is.
  if (!turn.isUnreadable) await turn.write(withMark(next, target, now))
  return receipt
}

/** Takes a stop mark away. What it ended stays so. */
export async function resume(turn: Turn, given: StopTarget): Promise<PersonRules> {
  const target = readTarget(given)
  await turn.record({ action: 'resume', outcome: 'allowed', ...eventOf(target) })
  return turn.write(withMark(turn.rules, target, undefined))
}

/** Of a target with more than one member, only one would be stopped. */
function readTarget(target: StopTarget): StopTarget {
  const [[what, which] = [], ...more] = Object.entries(target)
  const isOne = what === 'everything' ? which === true : typeof which === 'string' && which !== ''
  if (more.length > 0 || !isOne || !['agent', 'account', 'everything'].includes(what ?? '')) {
    throw refuse('An agent, an account or everything is stopped.')
  }
  return target
}

function withMark(rules: PersonRules, target: StopTarget, at: number | undefined): PersonRules {
  const { stopped } = rules
  // JSON leaves out a member that is undefined: the mark is gone.
  const marked = (marks: Readonly<Record<string, number>>, id: string) =>
    Object.assign(Object.create(null), marks, { [id]: at }) as Record<string, number>
  if ('agent' in target) return { ...rules, stopped: { ...stopped, agents: marked(stopped.agents, target.agent) } }
  if ('account' in target) {
    return { ...rules, stopped: { ...stopped, accounts: marked(stopped.accounts, target.account) } }
  }
  const { everything: _old, ...others } = stopped
  return { ...rules, stopped: { ...others, ...(at !== undefined && { everything: at }) } }
}
