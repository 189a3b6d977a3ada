import { type ConnectedAccount, type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import type { AgentRequest, Because, StopReceipt, StopTarget } from '@latchkey/core/agents'
import { asLatchkeyError, identityOf } from '@latchkey/core/server'
import type { AccountRow, Owner } from '../stores/store.ts'
import { absent, unusable } from '../vault/accounts.ts'
import type { Audit } from '../vault/audit.ts'
import type { Custodian } from '../vault/custodian.ts'
import { unknown } from '../vault/upkeep.ts'
import type { Agents } from './agents.ts'
import { ApprovalRequired, NotAllowed } from './answers.ts'
import { type Ending, type EndReason, type Failure, reasonOf } from './endings.ts'
import { createUnderWay } from './ledger.ts'
import type { Forecast, JudgedCall, Overseer } from './overseer.ts'
import type { JudgedTool } from './tools.ts'

/** Who uses accounts, and for what. */
export interface AccountUse {
  /** Who acts: one of the `agents` of the broker, named by server code and never by the body or the model. */
  agent: string
  /**
   * The person's turn: the id of their message, kept when the answer is made again. A write that was made in it is not made
   * twice.
   *
   * @default each call is a turn of its own
   */
  run?: string
  /** The chat's id, for what a person allows in this chat only. */
  chat?: string
  /** The origin that the tokens will be sent to. An account of a provider whose API is elsewhere is left out. */
  audience?: string
}

/** One call of a tool with one account of a user. */
export interface Call extends AccountUse {
  owner: Owner
  /** Provider id. */
  provider: string
  accountId: string
  /** The account as the page sent it. Absent: the vault keeps it. */
  held?: Identity | undefined
  /** Scopes that the call needs. */
  scopes?: readonly string[] | undefined
  /** Absent: the tool is not declared, so its person is asked. */
  tool?: JudgedTool | undefined
  /** As the tool gets them. */
  args?: unknown
  /** Which of equal calls of this turn it is, from 1. */
  nth?: number | string
  /** The runtime's id of the call. */
  toolCallId?: string | undefined
}

/** Permission for one call. Only {@link Door.authorize} gives it. */
export interface Use {
  readonly call: Call
  /** What the call is made with: what its person changed is changed. */
  readonly args: unknown
  /** Why it may be made. */
  readonly because: Because
  /** Aborted when its person stops it. */
  readonly signal: AbortSignal
}

/** The one way to the secret of an account. The audit log has every use and every refusal. */
export interface Door {
  /**
   * Judges a call by the rules of its person, and writes it down as begun. Resolves to what it answered if it was made
   * already in this turn.
   *
   * @throws NotAllowed if the rules forbid it, or its person says no.
   * @throws ApprovalRequired if its person is asked.
   * @throws LatchkeyError why this call may not use the account.
   */
  authorize(call: Call): Promise<Use | { done: unknown }>
  /**
   * What the person and their rules say of a call that is not made yet. It asks the person if they must be asked. Undefined if
   * the account cannot be used for it anyway: the call itself says why.
   */
  askAhead(call: Call): Promise<Forecast | undefined>
  /**
   * Returns a fresh secret, until the call ends.
   *
   * @param options.forceRefresh true if the API refused the last one.
   * @throws LatchkeyError why there is none.
   */
  open(use: Use, options?: { forceRefresh?: boolean | undefined }): Promise<Identity>
  /**
   * Ends a call, and writes down why it came to nothing. A second end does nothing. It does not reject: what the call
   * answered is not lost with a store that is away. Then a write counts as one that may have happened.
   *
   * @param failure why it failed, if it did. It is asked for what has a result, too.
   */
  end(use: Use, ending: Ending, failure?: Failure): Promise<void>
  /** Aborts the calls under way that a person has stopped, and says which. */
  abort(owner: Owner, target: StopTarget): StopReceipt['aborted']
  /** Stops looking after calls under way. */
  close(): void
}

/** What {@link createDoor} is made with. */
export interface DoorOptions {
  /** Absent: the server has no vault. */
  custodian: Pick<Custodian, 'factsOf' | 'ensureFresh' | 'recheck'> | undefined
  audit: Pick<Audit, 'record'>
  providers: ReadonlyMap<string, Provider>
  agents: Agents
  overseer: Overseer
  /** Hears that the end of a call could not be written down. */
  onLost?: (error: unknown) => void
}

/** Milliseconds between two looks at what was stopped by another process. */
const LOOK = 500

interface Pending {
  ticket: string
  /** Its id in the log. */
  id: string
  opened: boolean
  /** Why its account could not be read. */
  failure?: Failure
  end: AbortController
}

export function createDoor({ custodian, audit, providers, agents, overseer, onLost }: DoorOptions): Door {
  const pending = new Map<Use, Pending>()
  /** Calls that are judged now. One that is stopped meanwhile is not made, so no receipt has it. */
  const judging = new Map<AbortController, Call>()
  const underWay = createUnderWay()
  let looking: ReturnType<typeof setInterval> | undefined

  const hostOf = ({ provider: id, audience }: Call) => {
    const provider = providers.get(id)
    return audience ?? (provider && new URL(provider.apiBaseUrl).origin)
  }

  const entryOf = (call: Call) => {
    const { provider, accountId: account, agent, tool } = call
    const { name, effect, route } = tool ?? {}
    return { provider, account, agent, tool: name, effect, route, host: hostOf(call) }
  }

  async function denied(call: Call, error: LatchkeyError): Promise<LatchkeyError> {
    await audit.record(call.owner, { action: 'deny', ...entryOf(call), outcome: 'denied', reason: error.code })
    return error
  }

  /** The log has the use as allowed. Its end is an entry of its own, with the facts that entries are found by. */
  const failed = async (call: Call, use: string, reason: EndReason) =>
    audit.record(call.owner, { action: 'end', use, ...entryOf(call), outcome: 'failed', reason })

  /** The call is over, whatever becomes of this. */
  async function written(...all: (Promise<unknown> | undefined)[]): Promise<void> {
    for (const one of await Promise.allSettled(all)) if (one.status === 'rejected') onLost?.(one.reason)
  }

  /** What the app does not allow at all. */
  function denialFor(call: Call): LatchkeyError | undefined {
    const provider = providers.get(call.provider)
    // A page may send an account of a provider that only it knows, such as an MCP server.
    const denial = provider ? denialOf(agents, provider, call) : call.held ? undefined : unknown()
    return denial ?? (call.held || custodian ? undefined : absent(call.accountId))
  }

  /** Whether an account of the vault is there, and can be used for this call. */
  function refusalOf({ accountId, provider: id, scopes }: Call, row: AccountRow): LatchkeyError | undefined {
    const account = custodian?.factsOf(row)
    if (account?.provider !== id) return absent(accountId)
    if (hasEnded(account)) return unusable(account)
    // Before its person is asked: they would say yes to what cannot be done.
    if (providers.get(id)?.kind === 'api-key' || !scopes?.some((scope) => !account.scopes.includes(scope)))
      return undefined
    const message = `${account.label} was not given all of ${scopes.join(', ')}.`
    return new LatchkeyError('insufficient_scope', message, { account: account.id })
  }

  const judged = (call: Call): JudgedCall => {
    const { agent, accountId: account, held, provider, owner, tool, args, run, chat, nth, toolCallId } = call
    const facts = held && { provider, generation: account }
    const about = { owner, agents: agents.chainOf(agent), account, facts, host: hostOf(call) }
    const refuse = held ? undefined : (row: AccountRow) => refusalOf(call, row)
    return { ...about, tool, args, run, chat, nth, toolCallId, refuse }
  }

  function abortWhere(matches: (call: Call) => boolean): StopReceipt['aborted'] {
    for (const [end, call] of judging) if (matches(call)) end.abort()
    const found = [...pending].filter(([{ call }]) => matches(call))
    for (const [, { end }] of found) {
      end.abort(new LatchkeyError('cancelled', 'You stopped this. It may have happened already.', { next: 'none' }))
    }
    return found.map(([{ call }]) => abortedOf(call))
  }

  /** Another process may have written the mark. Each person with calls under way is looked up once. */
  async function look(): Promise<void> {
    const owners = new Map(
      [...pending.keys()].map(({ call: { owner } }) => [JSON.stringify([owner.tenant, owner.user]), owner]),
    )
    for (const owner of owners.values()) {
      const { stopped } = await overseer.rules(owner)
      abortWhere(
        (call) =>
          isOwn(call.owner, owner) &&
          (stopped.everything !== undefined ||
            Object.hasOwn(stopped.accounts, call.accountId) ||
            agents.chainOf(call.agent).some((agent) => Object.hasOwn(stopped.agents, agent))),
      )
    }
  }

  function watch(): void {
    if (looking || pending.size === 0) return
    looking = setInterval(() => void look().catch(() => {}), LOOK)
    looking.unref?.()
  }

  function unwatch(): void {
    if (pending.size > 0) return
    clearInterval(looking)
    looking = undefined
  }

  const door: Door = {
    async authorize(call) {
      const error = denialFor(call)
      if (error) throw await denied(call, error)
      // From here on a stop reaches it, also one that comes after the judgement and before it is under way.
      const end = new AbortController()
      judging.set(end, call)
      const ruling = await overseer.judge(judged(call), underWay).finally(() => judging.delete(end))
      if (ruling.word === 'done') return { done: ruling.result }
      if (ruling.word === 'asking') throw waiting(ruling.request)
      if (ruling.word === 'denied') throw new NotAllowed({ ...forbidden(call), reason: ruling.reason })
      if (ruling.word === 'never') throw new NotAllowed({ ...forbidden(call), because: ruling.because })
      if (end.signal.aborted) {
        const { ticket, use } = ruling
        await written(overseer.unsent(call.owner, ticket), failed(call, use, 'cancelled')).finally(() =>
          underWay.end(ticket),
        )
        throw new LatchkeyError('cancelled', 'You stopped this.', { next: 'none' })
      }
      const use: Use = Object.freeze({ call, args: ruling.args, because: ruling.because, signal: end.signal })
      pending.set(use, { ticket: ruling.ticket, id: ruling.use, opened: false, end })
      watch()
      return use
    },
    askAhead: async (call) => (denialFor(call) ? undefined : overseer.askAhead(judged(call), underWay)),
    async open(use, { forceRefresh } = {}) {
      const state = pending.get(use)
      if (!state) throw new LatchkeyError('misuse', 'A call needs a permission of its own.')
      use.signal.throwIfAborted()
      const { call } = use
      const { owner, accountId, held } = call
      const provider = providers.get(call.provider)
      if (held) return held
      const { account, secret } = await fresh().catch(async (error) => {
        const message = 'This account could not be read.'
        const known = asLatchkeyError(error, 'server_error', message, { account: accountId })
        state.failure = known.code
        if (!state.opened) await door.end(use, 'unsent')
        throw known
      })
      state.opened = true
      if (!provider) throw unknown()
      return identityOf(provider, account, secret)

      async function fresh() {
        if (!custodian) throw absent(accountId)
        if (forceRefresh && (await custodian.recheck(owner, accountId))?.status !== 'connected') throw absent(accountId)
        return custodian.ensureFresh(owner, accountId)
      }
    },
    async end(use, ending, failure) {
      const state = pending.get(use)
      if (!state) return
      pending.delete(use)
      unwatch()
      const { call, signal } = use
      const { ticket, id } = state
      const hasResult = typeof ending === 'object'
      const why = hasResult ? failure : (state.failure ?? failure)
      const reason = reasonOf(call.tool?.effect, ending, why, signal.aborted)
      await written(
        hasResult ? overseer.done(call.owner, ticket, ending.result) : undefined,
        ending === 'unsent' ? overseer.unsent(call.owner, ticket) : undefined,
        reason && failed(call, id, reason),
      ).finally(() => underWay.end(ticket))
    },
    abort: (owner, target) =>
      abortWhere((call) => isOwn(call.owner, owner) && isMeant(call, agents.chainOf(call.agent), target)),
    close() {
      clearInterval(looking)
      looking = undefined
    },
  }
  return door
}

const isMeant = ({ accountId }: Call, chain: readonly string[], target: StopTarget) =>
  'everything' in target || ('account' in target ? accountId === target.account : chain.includes(target.agent))

/** Why this agent may not use accounts of this provider, or not for this audience. */
function denialOf(
  agents: Agents,
  { id, name, apiBaseUrl }: Provider,
  { agent, audience }: Call,
): LatchkeyError | undefined {
  if (!agents.allows(agent, id)) {
    const message = `${name} is not among the providers of agents[${JSON.stringify(agent)}] of createBroker.`
    return new LatchkeyError('access_denied', message, { provider: id, next: 'configure' })
  }
  if (audience !== undefined && audience !== new URL(apiBaseUrl).origin) {
    return new LatchkeyError('invalid_target', `This is not the API of ${name}.`, { provider: id, next: 'none' })
  }
  return undefined
}

/** Reasons that may be over: opening the account finds out. */
const MAY_BE_BACK: readonly ConnectedAccount['reason'][] = ['issuer_changed', 'resource_changed', 'secret_unavailable']

/** Whether only its person can make it usable again. */
const hasEnded = ({ status, reason }: ConnectedAccount) =>
  status === 'paused' || (status === 'needs-reconnect' && !MAY_BE_BACK.includes(reason))

const abortedOf = ({ agent, accountId: account, tool }: Call): StopReceipt['aborted'][number] => ({
  ...{ agent, account, tool: tool?.name ?? '', effect: tool?.effect ?? 'write' },
})

const waiting = ({ id, agent, provider, account, tool }: AgentRequest) =>
  new ApprovalRequired({ request: id, agent, provider, accountId: account, toolName: tool.name })

const forbidden = ({ provider, accountId: account, tool }: Call) => ({ provider, account, toolName: tool?.name })

const isOwn = (one: Owner, other: Owner) => one.tenant === other.tenant && one.user === other.user
