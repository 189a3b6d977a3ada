import { asLatchkeyError, LatchkeyError } from '../errors.ts'
import { BROKER_LIMIT, brokered } from '../protocol/broker.ts'
import { limited, readText } from '../protocol/http.ts'
import { fetchProfile } from '../protocol/profile.ts'
import {
  authorizationServer,
  type RevokedToken,
  type Token,
  type TokenAnswer,
  type TokenEndpoint,
} from '../protocol/token-endpoint.ts'
import type { Challenge } from '../protocol/www-authenticate.ts'
import { isMcp, type McpProvider, type OAuthProvider, type Provider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { facts, lives, renewedAccount, renewedSecret } from './account-rules.ts'
import type { Keeper } from './account-store.ts'
import type { Held, Secret, Wait } from './secret-store.ts'

/** What became of an account's access at the provider. */
export type DisconnectReceipt =
  /** Ended at the provider: these tokens. */
  | { status: 'revoked'; tokens: RevokedToken[] }
  /** Only removed here: the provider has no revocation for it, or could not be reached. */
  | { status: 'removed'; manageUrl?: string; error?: LatchkeyError }

/** What tokens are for: a new authorization, or more of one that has an issuer and a resource. */
export interface GrantTarget {
  issuer?: string
  resource?: string
  challenge?: Challenge
  redirectUri?: string
  scopes?: readonly string[]
  accountId?: string
}

/** Where MCP servers get their tokens from, which is found out when it is needed. */
export interface Grantor {
  /** The provider with its authorization server, client and scopes filled in. */
  bind(provider: McpProvider, target: GrantTarget): Promise<OAuthProvider>
  /** The token endpoint of the authorization server that `target` belongs to, and of no other. */
  endpoint(provider: McpProvider, target: GrantTarget): Promise<TokenEndpoint>
}

/** The first wait after a failed refresh, doubled by each further failure up to the longest. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 5 * 60_000

/** Upkeep of connected accounts: everything a token goes through after it was first received. Loaded when needed. */
export type Renewal = ReturnType<typeof createRenewal>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createRenewal(keeper: Keeper, mcp: () => Promise<Grantor>) {
  const { options, store, secrets } = keeper
  const { broker } = options
  const renewing = new Map<string, Promise<Secret>>()
  let clients: Promise<Map<string, { client_id?: string; mode?: string }>> | undefined

  /** The client ids that the broker names, asked once; a failure is forgotten. */
  function brokerClients() {
    clients ??= (async () => {
      const response = await limited({ limit: BROKER_LIMIT })(`${broker}/providers`, {
        headers: { accept: 'application/json' },
      })
      type Named = { id: string; client_id?: string; mode?: string }
      const { providers } = JSON.parse(await readText(response)) as { providers: Named[] }
      return new Map(providers.map((named) => [named.id, named]))
    })()
    clients.catch(() => {
      clients = undefined
    })
    return clients
  }

  /** @throws LatchkeyError `not_configured` when nobody names one. */
  async function clientId(provider: OAuthProvider): Promise<string> {
    if (provider.client.client_id) return provider.client.client_id
    const named = broker
      ? await brokerClients().catch((error) => {
          throw asLatchkeyError(error, 'network', 'The app could not be reached. Check the connection and try again.')
        })
      : undefined
    const id = named?.get(provider.id)?.client_id
    if (id) return id
    throw new LatchkeyError(
      'not_configured',
      `${provider.name} has no client id. Add it to ${broker ? 'the `clients` of createBroker()' : `${provider.id}({ clientId })`}.`,
      { provider: provider.id, next: 'configure' },
    )
  }

  /** Whether the broker keeps this provider's secrets itself. Unknown is an error: a secret must not go astray. */
  async function isVaulted(provider: Provider): Promise<boolean> {
    // The broker knows no MCP server: its secrets are the browser's.
    if (!broker || isMcp(provider)) return false
    const named = await brokerClients().catch((error) => {
      throw asLatchkeyError(error, 'network', 'The app could not be reached. Check the connection and try again.')
    })
    return named.get(provider.id)?.mode === 'vault'
  }

  /** A provider as it is used: an MCP server's becomes known here. */
  async function bind(provider: OAuthProvider, at: GrantTarget): Promise<OAuthProvider> {
    return isMcp(provider) ? (await mcp()).bind(provider, at) : provider
  }

  /** `at` is the token or flow that it is for: an MCP server may have moved to another authorization server since. */
  async function endpoint(provider: OAuthProvider, at: GrantTarget): Promise<TokenEndpoint> {
    if (isMcp(provider)) return (await mcp()).endpoint(provider, at)
    return broker ? brokered(broker, provider) : authorizationServer(provider, { client_id: await clientId(provider) })
  }

  /** For storage of one tab, which keeps no notes. */
  const waits = new Map<string, Wait | undefined>()
  /** When the browser last said that it is online again: failures for lack of a network before that do not count. */
  let onlineSince = 0

  /** The wait that a failed refresh left for everybody, while it lasts. */
  function waiting(id: string, { wait = waits.get(id) }: Held): Wait | undefined {
    waits.set(id, wait)
    if (!wait || wait.until <= Date.now() || (wait.code === 'network' && wait.at < onlineSince)) return undefined
    // A clock that was set back must not make an hour out of a minute.
    return wait.at > Date.now() ? undefined : wait
  }

  /** No new token for now. The old one is kept, and tried again when the wait is over. */
  async function failed(account: ConnectedAccount, held: Held, error: LatchkeyError): Promise<LatchkeyError> {
    const now = Date.now()
    const failures = (held.wait ?? waits.get(account.id))?.failures ?? 0
    const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures) * (0.75 + Math.random() / 2)
    const until = now + Math.max(backoff, (error.retryAfter ?? 0) * 1000)
    const wait = { at: now, until, failures: failures + 1, code: error.code }
    waits.set(account.id, wait)
    await secrets.note(account.id, { wait }).catch(keeper.unavailable)
    if (error.code === 'network') await keeper.mark(account.id, account.status, 'offline')
    return error
  }

  async function renewUnderLock(account: ConnectedAccount, minValidity: number): Promise<Secret> {
    // Another tab may have renewed it while this one waited for the lock.
    const held = await keeper.open(account)
    await keeper.catchUp(account, held)
    if (lives(held.secret, minValidity)) return held.secret
    const stillGood = lives(held.secret, 0)
    const { token } = held.secret
    if (!token?.refresh_token) {
      if (stillGood) return held.secret
      await keeper.mark(account.id, 'needs-reconnect', 'expired')
      throw new LatchkeyError('invalid_token', `Access to ${account.label} has ended.`, {
        provider: account.provider,
        account: account.id,
        next: 'reconnect',
      })
    }
    const wait = waiting(account.id, held)
    if (wait) {
      if (stillGood) return held.secret
      throw new LatchkeyError(wait.code, `${account.label} cannot be refreshed right now.`, {
        provider: account.provider,
        account: account.id,
        next: 'wait',
        retryAfter: Math.ceil((wait.until - Date.now()) / 1000),
      })
    }
    const began = keeper.epoch
    const provider = keeper.find(account.provider) as OAuthProvider
    let answer: TokenAnswer
    try {
      answer = await (await endpoint(provider, token)).refresh(token)
    } catch (cause) {
      const error = asLatchkeyError(cause, 'network', `${provider.name} could not be reached.`)
      if (error.code === 'invalid_grant') {
        // Where a turn was lost another tab may have been first: then its token is the one that counts.
        const newest = await secrets.read(account)
        if (newest && newest.rev !== held.rev && lives(newest.secret, minValidity)) return newest.secret
        if (newest) {
          await secrets.remove(account, 'ended').catch(keeper.unavailable)
          await keeper.mark(account.id, 'needs-reconnect', 'revoked', '')
        }
        throw error
      }
      if (keeper.epoch === began) await failed(account, held, error)
      // The server may be back by the time this token ends.
      if (stillGood) return held.secret
      throw error
    }
    waits.delete(account.id)
    if (keeper.epoch !== began) throw disconnected(account)
    return keepRenewed(provider, account, token, answer)
  }

  async function keepRenewed(
    provider: OAuthProvider,
    account: ConnectedAccount,
    old: Token,
    answer: TokenAnswer,
  ): Promise<Secret> {
    const secret = renewedSecret(old, answer)
    const current = store.getState().accounts[account.id]
    if (!current) {
      // Disconnected meanwhile: the disconnect waits for the lock and revokes what it finds.
      await secrets.write(account, secret)
      throw disconnected(account)
    }
    await keeper.save(renewedAccount(provider, current, answer, secret), secret)
    return secret
  }

  /** One refresh for all callers of all tabs. */
  function renew(account: ConnectedAccount, minValidity: number): Promise<Secret> {
    const under = renewing.get(account.id)
    if (under) return under
    const renewal = secrets
      .exclusive(account.id, () => renewUnderLock(account, minValidity))
      .finally(() => renewing.delete(account.id))
    renewing.set(account.id, renewal)
    return renewal
  }

  const disconnected = ({ label }: ConnectedAccount) =>
    new LatchkeyError('cancelled', `${label} was disconnected.`, { next: 'none' })

  return {
    /** When an account may be refreshed again, in milliseconds since the epoch. */
    waitsUntil: (id: string): number => {
      const wait = waits.get(id)
      const over = !wait || wait.at > Date.now() || (wait.code === 'network' && wait.at < onlineSince)
      return over ? 0 : wait.until
    },
    online() {
      onlineSince = Date.now()
    },
    bind,
    clientId,
    isVaulted,
    endpoint,
    renew,
    /** What follows when an API refuses a token that looked good: a new one, or a word to the person. */
    async refused(account: ConnectedAccount): Promise<ConnectedAccount> {
      if (account.renewable) await renew(account, Number.POSITIVE_INFINITY).catch(() => {})
      else {
        const { kind } = keeper.find(account.provider)
        const reason = kind === 'api-key' ? 'invalid_token' : 'revoked'
        await secrets.exclusive(account.id, () => keeper.mark(account.id, 'needs-reconnect', reason))
      }
      return keeper.findAccount(account.id)
    },
    /** Removes what is left of a forgotten account and tells the provider. Never rejects. */
    async revoke(account: ConnectedAccount): Promise<DisconnectReceipt> {
      const provider = keeper.providers.find(({ id }) => id === account.provider)
      const removed = { status: 'removed', manageUrl: provider?.manageUrl } as const
      try {
        return await secrets.exclusive(account.id, async () => {
          const held = await secrets.read(account).catch(() => undefined)
          await secrets.remove(account).catch(keeper.unavailable)
          // Once more: a refresh in another tab may have written it back before this lock came free.
          await keeper.forget(account.id)
          if (!provider || provider.kind === 'api-key' || !held?.secret.token) return removed
          const answer = await (await endpoint(provider, held.secret.token)).revoke(held.secret.token)
          return answer.status === 'revoked' ? answer : removed
        })
      } catch (error) {
        const name = provider?.name ?? account.provider
        return { ...removed, error: asLatchkeyError(error, 'network', `${name} could not be told.`) }
      }
    },
    async refreshProfile(id: string, access_token: string): Promise<ConnectedAccount> {
      const provider = keeper.find(keeper.findAccount(id).provider) as OAuthProvider
      const profile = await fetchProfile(provider, access_token)
      return secrets.exclusive(id, async () => {
        const account = keeper.findAccount(id)
        // Another subject behind this token would be another account; this one keeps its name.
        if (profile.subject !== account.subject) return account
        await keeper.change(id, (newest) => ({ ...newest, ...facts(provider, profile) }))
        return keeper.findAccount(id)
      })
    },
  }
}
