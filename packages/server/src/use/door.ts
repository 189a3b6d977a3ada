import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { asLatchkeyError, identityOf } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'
import { absent } from '../vault/accounts.ts'
import type { Custodian } from '../vault/custodian.ts'
import { unknown } from '../vault/upkeep.ts'

/** What an agent may be given at all, whatever a request says. */
export interface AgentPolicy {
  /** Provider ids. */
  providers: readonly string[]
}

/** Who uses an account, and for what. */
export interface AccountUse {
  /** Who acts: checked against the `agents` of the broker, and written to the audit log. */
  agent: string
  /** The tool that asks, for the audit log. */
  tool?: string
  /** The origin that the tokens will be sent to. An account of a provider whose API is elsewhere is left out. */
  audience?: string
}

/** One use of one account of a user. */
export interface Call extends AccountUse {
  owner: Owner
  /** Provider id. */
  provider: string
  accountId: string
}

/** Permission for one call. Only {@link Door.authorize} gives it. */
export interface Use {
  readonly call: Call
  readonly provider: Provider
}

/** The one way to the secret of an account in the vault. The audit log has every use and every refusal. */
export interface Door {
  /** @throws LatchkeyError why this call may not use the account. */
  authorize(call: Call): Promise<Use>
  /**
   * Returns a fresh secret, once for each permission.
   *
   * @throws LatchkeyError why there is none.
   */
  open(use: Use): Promise<Identity>
}

/** What {@link createDoor} is made with. */
export interface DoorOptions {
  custodian: Pick<Custodian, 'find' | 'ensureFresh' | 'audit'>
  providers: ReadonlyMap<string, Provider>
  /** By agent id. @default every agent may use every provider */
  agents?: Readonly<Record<string, AgentPolicy>>
}

export function createDoor({ custodian, providers, agents }: DoorOptions): Door {
  const { audit } = custodian
  const policies = agents && new Map(Object.entries(agents))
  const given = new WeakSet<Use>()

  /** Why this agent may not use accounts of this provider, or not for this audience. */
  function denialOf({ id, name, apiBaseUrl }: Provider, { agent, audience }: Call): LatchkeyError | undefined {
    if (policies && !policies.get(agent)?.providers.includes(id)) {
      const message = `${name} is not among the providers of agents[${JSON.stringify(agent)}] of createBroker.`
      return new LatchkeyError('access_denied', message, { provider: id, next: 'configure' })
    }
    if (audience !== undefined && audience !== new URL(apiBaseUrl).origin) {
      return new LatchkeyError('invalid_target', `This is not the API of ${name}.`, { provider: id, next: 'none' })
    }
    return undefined
  }

  const eventOf = ({ provider: id, accountId: account, agent, tool, audience }: Call) => {
    const provider = providers.get(id)
    return { provider: id, account, agent, tool, host: audience ?? (provider && new URL(provider.apiBaseUrl).origin) }
  }

  async function denied(call: Call, error: LatchkeyError): Promise<LatchkeyError> {
    await audit.record(call.owner, { action: 'deny', ...eventOf(call), outcome: 'denied', reason: error.code })
    return error
  }

  return {
    async authorize(call) {
      const { owner, accountId } = call
      const provider = providers.get(call.provider)
      const denial = provider ? denialOf(provider, call) : unknown()
      if (denial) throw await denied(call, denial)
      const account = await custodian.find(owner, accountId)
      if (!provider || account?.provider !== provider.id) throw await denied(call, absent(accountId))
      const use = Object.freeze({ call, provider })
      given.add(use)
      return use
    },
    async open(use) {
      if (!given.delete(use)) throw new LatchkeyError('misuse', 'A use needs a permission of its own.')
      const { call, provider } = use
      const { owner, accountId } = call
      const { account, secret } = await custodian.ensureFresh(owner, accountId).catch(async (error) => {
        const message = 'This account could not be read.'
        throw await denied(call, asLatchkeyError(error, 'server_error', message, { account: accountId }))
      })
      // Written before the secret is returned: what cannot be recorded does not happen.
      await audit.record(owner, { action: 'use', ...eventOf(call), outcome: 'allowed' })
      return identityOf(provider, account, secret)
    },
  }
}
