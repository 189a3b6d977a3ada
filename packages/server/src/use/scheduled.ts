import { LatchkeyError } from '@latchkey/core'
import { checkReadiness, planRun, type RunPlan, type RunPolicy } from '@latchkey/core/agents'
import type { Owner } from '../stores/store.ts'
import type { Custodian } from '../vault/custodian.ts'
import type { Agents } from './agents.ts'
import type { Overseer } from './overseer.ts'

/** A run that a schedule is about to start. */
export interface ScheduledRun {
  /** One of the `agents` of the broker. */
  agent: string
  /**
   * Names of the tools that it will call, as `acme/send`.
   *
   * @default all that the agent declares
   */
  tools?: readonly string[]
  /**
   * How long it takes, in milliseconds.
   *
   * @default 0
   */
  duration?: number
  /**
   * Ids of the accounts that it uses.
   *
   * @default all of this person
   */
  accounts?: readonly string[]
  /** The chat's id, for what the person allows in this chat only. */
  chat?: string
  /** @default 'skip' */
  policy?: RunPolicy
}

/** What is known of people, their accounts and agents. */
interface Known {
  agents: Pick<Agents, 'list'>
  overseer: Pick<Overseer, 'rules'>
  custodian: Pick<Custodian, 'list'>
}

/** Whether a run starts. @throws LatchkeyError `misuse` if nothing is declared of what it does. */
export async function planScheduled(
  { agents, overseer, custodian }: Known,
  owner: Owner,
  { policy, accounts: ids, ...run }: ScheduledRun,
): Promise<RunPlan> {
  const declared = agents.list()
  const own = declared.find(({ id }) => id === run.agent)?.tools ?? []
  if (own.length === 0 && !run.tools) {
    const message = `agents[${JSON.stringify(run.agent)}] of createBroker has no tools, so nobody knows what the run needs.`
    throw new LatchkeyError('misuse', message)
  }
  const [rules, all] = await Promise.all([overseer.rules(owner), custodian.list(owner)])
  const accounts = ids ? all.filter(({ id }) => ids.includes(id)) : all
  return planRun(checkReadiness({ ...run, agents: declared, rules, accounts, now: Date.now() }), policy)
}
