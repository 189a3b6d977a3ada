import { LatchkeyError } from '../errors.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { AgentTool } from './oversight.ts'
import { missingScopes, type Outlook, outlookOf, type Standing } from './standing.ts'

/** A run that is to come. */
export interface ReadinessOptions extends Standing {
  accounts: readonly Pick<ConnectedAccount, 'id' | 'provider' | 'scopes' | 'status' | 'renewable' | 'expiresAt'>[]
  /**
   * Names of the tools that it will call.
   *
   * @default all tools of the agent
   */
  tools?: readonly string[]
  /**
   * How long it takes, in milliseconds.
   *
   * @default 0
   */
  duration?: number
}

/**
 * Whether a tool can be called with an account, or the first thing in its way: its person never allows it, no account is
 * connected, the account has not all scopes that the tool needs, account or permission ends before the run ends, or the
 * person will be asked.
 */
export type ReadyState = 'ok' | 'never' | 'missing' | 'narrower' | 'ends-early' | 'asks'

/** One tool with one account. */
export interface Readiness extends Pick<Outlook, 'because' | 'depends'> {
  tool: string
  provider: string
  /** Account id. Absent: there is none. With `missing`: it has to be connected again. */
  account?: string
  state: ReadyState
  /** With `narrower`: what the tool needs and the account lacks. */
  missingScopes?: readonly string[]
  /** With `ends-early`: when, in milliseconds since the epoch. */
  endsAt?: number
}

/**
 * Whether an agent can do what it is about to do without its person: each tool with each account of its provider.
 *
 * @throws LatchkeyError `misuse` for a tool that the agent does not have.
 */
export function checkReadiness(options: ReadinessOptions): Readiness[] {
  const { agents, agent, accounts, tools: names } = options
  const own = agents.find(({ id }) => id === agent)?.tools ?? []
  const tools = names?.map((name) => {
    const tool = own.find((one) => one.name === name)
    if (!tool) throw new LatchkeyError('misuse', `Agent ${JSON.stringify(agent)} has no tool ${JSON.stringify(name)}.`)
    return tool
  })
  return (tools ?? own).flatMap((tool) => {
    const usable = accounts.filter(({ provider }) => provider === tool.provider)
    return usable.length > 0 ? usable.map((account) => stateOf(options, tool, account)) : [stateOf(options, tool)]
  })
}

/**
 * What a run that no person waits for does when something is missing. `skip`: it does not start. `warn`: it starts, and its app
 * tells the person what is missing. `run`: it starts, and nobody is told.
 */
export type RunPolicy = 'skip' | 'warn' | 'run'

/** Whether a run starts. */
export interface RunPlan {
  word: 'run' | 'skip'
  /** What is in the way of each tool that can be called with none of its accounts. Empty with `run`. */
  missing: Readiness[]
}

/**
 * Whether a run that no person waits for starts. A tool is ready if it can be called with one of its accounts, so give
 * {@link checkReadiness} only the accounts that the run uses. To be asked counts as missing: nobody is there to answer.
 *
 * @param policy @default 'skip'
 */
export function planRun(readiness: readonly Readiness[], policy: RunPolicy = 'skip'): RunPlan {
  if (policy === 'run') return { word: 'run', missing: [] }
  const ready = new Set(readiness.filter(({ state }) => state === 'ok').map(({ tool }) => tool))
  const missing = readiness.filter(({ tool }) => !ready.has(tool))
  return { word: policy === 'skip' && missing.length > 0 ? 'skip' : 'run', missing }
}

function stateOf(
  options: ReadinessOptions,
  tool: AgentTool,
  account?: ReadinessOptions['accounts'][number],
): Readiness {
  const { now, duration = 0 } = options
  const at = { id: account?.id, provider: tool.provider, paused: account?.status === 'paused' }
  const { decision, because, depends } = outlookOf(options, at, tool)
  const end = now + duration
  const entry = {
    ...{ tool: tool.name, provider: tool.provider },
    ...(account && { account: account.id }),
    ...(because && { because }),
    ...(depends && { depends }),
  }
  if (decision === 'never') return { ...entry, state: 'never' }
  if (!account || account.status === 'needs-reconnect') return { ...entry, state: 'missing' }
  const missing = missingScopes(tool, account.scopes)
  if (missing.length > 0) return { ...entry, state: 'narrower', missingScopes: missing }
  // A token that is renewed does not end with itself.
  const ends = account.renewable || account.expiresAt === undefined ? [] : [account.expiresAt]
  if (decision === 'allow') {
    // Nor does a yes end with one rule while another still says it.
    const rules = Object.values(options.rules.agents).flatMap((one) => one.rules)
    const untils = rules.flatMap(({ until = now }) => (until > now ? [until] : [])).sort((one, other) => one - other)
    const isOver = (until: number) => outlookOf({ ...options, now: until }, at, tool).decision !== 'allow'
    ends.push(untils.find(isOver) ?? Number.POSITIVE_INFINITY)
  }
  const endsAt = Math.min(...ends)
  if (endsAt <= end) return { ...entry, state: 'ends-early', endsAt }
  return { ...entry, state: decision === 'ask' ? 'asks' : 'ok' }
}
