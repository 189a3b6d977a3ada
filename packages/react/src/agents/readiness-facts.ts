import type { ConnectedAccount } from '@latchkey/core'
import {
  type Agent,
  type AgentTool,
  checkReadiness,
  type PersonRules,
  type Readiness,
  type StopTarget,
} from '@latchkey/core/agents'
import type { Level } from './parts.tsx'
import { findAgent, lineOf, stoppedAt } from './ruled.ts'

/** Props of `Readiness`. */
export interface ReadinessProps {
  /** Agent id. */
  agent: string
  /** Names of the tools that the run will call. @default all tools of the agent */
  tools?: readonly string[]
  /** Ids of the accounts that the run will use. @default all accounts that the agent may be given */
  accounts?: readonly string[]
  /** How long the run takes, in milliseconds. @default 0 */
  duration?: number
  /** Level of the heading, which says whether all is ready. @default 3 */
  headingLevel?: Level
}

/** How long after the click a run may begin, in milliseconds: what is allowed for it lasts for this longer. */
const HEADSTART = 600_000
/** A permission for some time lasts no longer. */
const LONGEST = 24 * 3_600_000

/** What keeps a whole account, or all of its provider, from being used in the run. */
export type Trouble = 'missing' | 'reconnect' | 'paused' | 'stopped' | 'narrower' | 'ends'

/** One tool, and what there is to know of it. */
export interface ReadyTool extends Readiness {
  title: string
  effect: AgentTool['effect']
  version: string
  /** Allowing it for as long as the run takes makes it ready. */
  canLend: boolean
}

/** An account, or a provider of which none is connected. */
export interface Held {
  provider: string
  account?: ConnectedAccount
  trouble?: Trouble
  /** What the tools need and the account lacks, or would. */
  scopes: readonly string[]
  tools: readonly ReadyTool[]
}

/** What stands in the way of a run. */
export interface Outcome {
  helds: readonly Held[]
  /** Everything, the agent or one of its parents, if the person stopped that. */
  stopped?: StopTarget
  /** Tools that the agent does not have any more. */
  gone: readonly string[]
  /** Things to mend. */
  mends: number
  /** Tools that will ask. */
  asks: number
}

interface Facts extends Pick<ReadinessProps, 'agent' | 'tools' | 'duration'> {
  agents: readonly Agent[]
  rules: PersonRules
  accounts: readonly ConnectedAccount[]
  now: number
}

/** How long a permission for a run lasts, or undefined for a run that is too long or takes no time. */
export const lendingOf = (duration: number) =>
  duration > 0 && duration + HEADSTART <= LONGEST ? duration + HEADSTART : undefined

/** What stands in the way of a run, by account. */
export function outcomeOf({ tools: named, duration = 0, ...facts }: Facts): Outcome {
  const own = findAgent(facts.agents, facts.agent)?.tools ?? []
  const gone = (named ?? []).filter((name) => !own.some((tool) => tool.name === name))
  const tools = named ? named.filter((name) => !gone.includes(name)) : own.map(({ name }) => name)
  const entries = checkReadiness({ ...facts, duration, tools })
  const toolOf = (name: string) => own.find((tool) => tool.name === name) as AgentTool
  const ready = entries.map((entry): ReadyTool => {
    const { title, effect, version } = toolOf(entry.tool)
    return { ...entry, title, effect, version, canLend: canLend({ ...facts, duration }, entry, toolOf(entry.tool)) }
  })
  const keyOf = ({ account, provider }: ReadyTool) => account ?? provider
  const groups = new Map(ready.map((one) => [keyOf(one), ready.filter((other) => keyOf(other) === keyOf(one))]))
  const helds = [...groups.values()].map((some): Held => {
    const [{ provider, account: id } = { provider: '' }] = some
    const account = facts.accounts.find((one) => one.id === id)
    const needed = some.flatMap(
      ({ tool, missingScopes }) => missingScopes ?? (account ? [] : toolOf(tool).scopes) ?? [],
    )
    return {
      provider,
      account,
      trouble: troubleOf(some, account, facts.rules),
      scopes: [...new Set(needed)],
      tools: some,
    }
  })
  const stopped = ready.length > 0 ? stoppedOf(facts) : undefined
  const single = helds.flatMap(({ trouble, account, tools }) =>
    isBlocked(trouble) ? [] : tools.filter((tool) => isToMend(tool, account, named !== undefined)),
  )
  const troubled = helds.filter(({ trouble }) => trouble).length
  return {
    ...{ helds, gone, stopped },
    mends: gone.length + troubled + single.length + (stopped ? 1 : 0),
    asks: new Set(ready.filter(({ state }) => state === 'asks').map(({ tool }) => tool)).size,
  }
}

/** Whether nothing can be done with the account at all. */
export const isBlocked = (trouble: Trouble | undefined) =>
  trouble !== undefined && trouble !== 'narrower' && trouble !== 'ends'

/** What the person stopped beside accounts. */
function stoppedOf({ agents, agent: id, rules }: Pick<Facts, 'agents' | 'agent' | 'rules'>): StopTarget | undefined {
  if (stoppedAt(rules, { everything: true }) !== undefined) return { everything: true }
  const agent = findAgent(agents, id)
  const stopped = agent && lineOf(agents, agent).find((one) => stoppedAt(rules, { agent: one.id }) !== undefined)
  return stopped && { agent: stopped.id }
}

function troubleOf(
  tools: readonly Readiness[],
  account: ConnectedAccount | undefined,
  rules: PersonRules,
): Trouble | undefined {
  const has = (is: (tool: Readiness) => boolean) => tools.some(is)
  if (has(({ state }) => state === 'missing')) return account ? 'reconnect' : 'missing'
  if (account?.status === 'paused') return 'paused'
  if (account && stoppedAt(rules, { account: account.id }) !== undefined) return 'stopped'
  if (has(({ state }) => state === 'narrower')) return 'narrower'
  return has((tool) => endsWith(tool, account)) ? 'ends' : undefined
}

/** Whether a tool ends because its account does. */
const endsWith = ({ state, endsAt }: Readiness, account: ConnectedAccount | undefined) =>
  state === 'ends-early' && endsAt === account?.expiresAt

/** A `never` that the person chose is only in the way of a run that is said to need the tool. */
function isToMend(tool: Readiness, account: ConnectedAccount | undefined, isNamed: boolean): boolean {
  if (tool.state === 'ends-early') return !endsWith(tool, account)
  return tool.state === 'never' && isNamed && tool.because?.by !== 'stopped'
}

/** Whether a permission for the run would make a tool ready. Destructive ones have none beyond a chat. */
function canLend({ tools: _tools, ...facts }: Facts & { duration: number }, entry: Readiness, tool: AgentTool) {
  const lasts = lendingOf(facts.duration)
  if (lasts === undefined || !entry.account || !['asks', 'ends-early', 'never'].includes(entry.state)) return false
  const { rules, agent, now, accounts } = facts
  const old = Object.hasOwn(rules.agents, agent) ? rules.agents[agent] : undefined
  const lease = {
    ...{ id: '', of: { account: entry.account }, subject: { tool: tool.name, version: tool.version } },
    ...{ decision: 'allow' as const, until: now + lasts },
  }
  const base = old ?? { accounts: {}, providers: {}, rules: [] }
  const lent = { ...rules, agents: { ...rules.agents, [agent]: { ...base, rules: [...base.rules, lease] } } }
  const only = accounts.filter(({ id }) => id === entry.account)
  return checkReadiness({ ...facts, rules: lent, accounts: only, tools: [tool.name] }).every(
    ({ state }) => state === 'ok',
  )
}
