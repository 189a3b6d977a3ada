import type { Provider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { Agent, LastUse, LastUses } from './oversight.ts'

/** What advice about an account is made of. */
export interface AdviceOptions {
  provider: Provider
  account: Pick<ConnectedAccount, 'id' | 'scopes' | 'connectedAt'>
  /** All agents of the app. */
  agents: readonly Agent[]
  lastUses: LastUses
  /** Milliseconds since the epoch. */
  now: number
}

/** Milliseconds. */
const MONTH = 30 * 24 * 60 * 60_000

/**
 * Scopes of an account that no agent needed for 30 days, though it used the account. Only those that tools name: nobody
 * knows what the app has others for, such as those of the sign-in. Empty if it cannot be known: the account or the log is
 * younger than that, or the account was used by a tool that does not say which scopes it needs.
 */
export function unusedScopes({ provider, account, agents, lastUses, now }: AdviceOptions): string[] {
  const { uses, since = now } = lastUses
  const start = now - MONTH
  if (since > start || account.connectedAt > start) return []
  const recent = uses.filter((use) => use.account === account.id && use.at > start)
  const used = recent.map((use) => scopesOf(agents, use))
  if (used.length === 0 || used.includes(undefined)) return []
  const needed = new Set([...used.flat(), ...('requiredScopes' in provider ? (provider.requiredScopes ?? []) : [])])
  const named = new Set(toolsOf(agents, provider.id).flatMap(({ scopes = [] }) => scopes))
  const unused = account.scopes.filter((scope) => named.has(scope) && !needed.has(scope))
  return unused.length < account.scopes.length ? unused : []
}

const toolsOf = (agents: readonly Agent[], provider: string) =>
  agents.flatMap(({ tools }) => tools).filter((tool) => tool.provider === provider)

/** What the tool of a use needs, as its agent declares it. Undefined if it does not. */
const scopesOf = (agents: readonly Agent[], { agent, tool }: LastUse) =>
  agents.find(({ id }) => id === agent)?.tools.find(({ name }) => name === tool)?.scopes
