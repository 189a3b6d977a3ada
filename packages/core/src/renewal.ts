import type { Account } from './accounts.ts'
import { asLatchkeyError, LatchkeyError } from './errors.ts'
import { type Keeper, lives } from './keeper.ts'
import type { At, Mcp } from './mcp-accounts.ts'
import { isMcp, type OAuthProvider, type Provider, parseScope } from './provider.ts'
import type { Secret } from './secrets.ts'
import {
  authorizationServer,
  brokered,
  fetchProfile,
  type Profile,
  type Token,
  type TokenAnswer,
  type TokenEndpoint,
} from './token.ts'

/** What became of an account's access at the provider. */
export type DisconnectReceipt =
  | { status: 'revoked' }
  /** Only removed here: the provider has no revocation for it, or could not be reached. */
  | { status: 'removed'; manageUrl?: string; error?: LatchkeyError }

/** Upkeep of connected accounts: everything a token goes through after it was first received. Loaded when needed. */
export type Renewal = ReturnType<typeof createRenewal>

export function createRenewal(keeper: Keeper, mcp: () => Promise<Mcp>) {
  const { options, store, secrets } = keeper
  const { broker } = options
  const renewing = new Map<string, Promise<Secret>>()
  let clients: Promise<Map<string, string | undefined>> | undefined

  /** The client ids that the broker names, asked once; a failure is forgotten. */
  function brokerClients() {
    clients ??= (async () => {
      const response = await fetch(`${broker}/providers`, { headers: { accept: 'application/json' } })
      const { providers } = (await response.json()) as { providers: { id: string; client_id?: string }[] }
      return new Map(providers.map(({ id, client_id }) => [id, client_id]))
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
    const id = named?.get(provider.id)
    if (id) return id
    throw new LatchkeyError(
      'not_configured',
      `${provider.name} has no client id. Add it to ${broker ? 'the `clients` of createBroker()' : `${provider.id}({ clientId })`}.`,
      { provider: provider.id, next: 'configure' },
    )
  }

  /** A provider as it is used: an MCP server's becomes known here. */
  async function bind(provider: OAuthProvider, at: At): Promise<OAuthProvider> {
    return isMcp(provider) ? (await (await mcp()).bind(provider, at)).provider : provider
  }

  /** `at` is the token or flow that it is for: an MCP server may have moved to another authorization server since. */
  async function endpoint(provider: OAuthProvider, at: At): Promise<TokenEndpoint> {
    if (isMcp(provider)) return (await mcp()).endpoint(provider, at)
    return broker ? brokered(broker, provider) : authorizationServer(provider, { client_id: await clientId(provider) })
  }

  async function renewUnderLock(account: Account, minValidity: number): Promise<Secret> {
    // Another tab may have renewed it while this one waited for the lock.
    const held = await keeper.open(account)
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
    const provider = keeper.find(account.provider) as OAuthProvider
    let answer: TokenAnswer
    try {
      answer = await (await endpoint(provider, token)).refresh(token)
    } catch (error) {
      if (error instanceof LatchkeyError && error.code === 'invalid_grant') {
        // Where locks are missing another tab may have been first: then its token is the one that counts.
        const newest = await secrets.read(account)
        if (newest && newest.rev !== held.rev && lives(newest.secret, minValidity)) return newest.secret
        if (newest) {
          await secrets.remove(account).catch(keeper.unavailable)
          await keeper.mark(account.id, 'needs-reconnect', 'revoked', '')
        }
      } else if (stillGood) {
        // The server may be back by the time this token ends.
        return held.secret
      }
      throw error
    }
    return keepRenewed(provider, account, token, answer)
  }

  async function keepRenewed(
    provider: OAuthProvider,
    account: Account,
    old: Token,
    answer: TokenAnswer,
  ): Promise<Secret> {
    // A member that the answer leaves out stays, the refresh token above all. @see RFC 6749 §6
    const fresh = Object.entries(answer.token).filter(([, value]) => value !== undefined)
    const token: Token = { ...old, ...Object.fromEntries(fresh) }
    const secret: Secret = { token, expiresAt: endOf(answer) }
    const current = store.getState().accounts[account.id]
    if (!current) {
      // Disconnected meanwhile: the disconnect waits for the lock and revokes what it finds.
      await secrets.write(account, secret)
      throw new LatchkeyError('cancelled', `${account.label} was disconnected.`, { next: 'none' })
    }
    await keeper.save(
      {
        ...current,
        // An answer that names nobody, or somebody else, does not rename the account.
        ...facts(provider, (answer.profile?.subject === current.subject && answer.profile) || current, secret),
        scopes: granted(provider, answer, current.scopes),
        expiresAt: secret.expiresAt,
        renewable: token.refresh_token !== undefined,
        status: 'connected',
        reason: undefined,
      },
      secret,
    )
    return secret
  }

  /** One refresh for all callers of all tabs. */
  function renew(account: Account, minValidity: number): Promise<Secret> {
    const under = renewing.get(account.id)
    if (under) return under
    const renewal = secrets
      .exclusive(account.id, () => renewUnderLock(account, minValidity))
      .finally(() => renewing.delete(account.id))
    renewing.set(account.id, renewal)
    return renewal
  }

  return {
    bind,
    clientId,
    endpoint,
    renew,
    /** What follows when an API refuses a token that looked good: a new one, or a word to the person. */
    async refused(account: Account): Promise<Account> {
      if (account.renewable) await renew(account, Number.POSITIVE_INFINITY).catch(() => {})
      else {
        const { kind } = keeper.find(account.provider)
        await keeper.mark(account.id, 'needs-reconnect', kind === 'api-key' ? 'invalid_token' : 'revoked')
      }
      return keeper.findAccount(account.id)
    },
    /** Removes what is left of a forgotten account and tells the provider. Never rejects. */
    async revoke(account: Account): Promise<DisconnectReceipt> {
      const provider = keeper.providers.find(({ id }) => id === account.provider)
      const removed = { status: 'removed', manageUrl: provider?.manageUrl } as const
      try {
        return await secrets.exclusive(account.id, async () => {
          const held = await secrets.read(account).catch(() => undefined)
          await secrets.remove(account).catch(keeper.unavailable)
          // Once more: a refresh in another tab may have written it back before this lock came free.
          await keeper.forget(account.id)
          if (!provider || provider.kind === 'api-key' || !held?.secret.token) return removed
          const { status } = await (await endpoint(provider, held.secret.token)).revoke(held.secret.token)
          return status === 'revoked' ? { status } : removed
        })
      } catch (error) {
        const name = provider?.name ?? account.provider
        return { ...removed, error: asLatchkeyError(error, 'network', `${name} could not be told.`) }
      }
    },
    async refreshProfile(id: string, access_token: string): Promise<Account> {
      const provider = keeper.find(keeper.findAccount(id).provider) as OAuthProvider
      const profile = await fetchProfile(provider, access_token)
      return secrets.exclusive(id, async () => {
        const account = keeper.findAccount(id)
        // Another subject behind this token would be another account; this one keeps its name.
        if (profile.subject !== account.subject) return account
        const next = { ...account, ...facts(provider, profile) }
        if (JSON.stringify(next) !== JSON.stringify(account)) await keeper.keep(next)
        return next
      })
    },
  }
}

/** The end of an access token by this clock, from the time its answer came. @see RFC 6749 §5.1 */
export const endOf = ({ token }: TokenAnswer): number | undefined =>
  token.expires_in === undefined ? undefined : Date.now() + token.expires_in * 1000

/** What the server granted; without a word from it, what was asked. @see RFC 6749 §5.1 */
export const granted = (
  provider: OAuthProvider,
  { token }: TokenAnswer,
  asked: readonly string[],
): readonly string[] => (token.scope === undefined ? asked : parseScope(provider, token.scope))

/** An account's facts about its person. */
export function facts(provider: Provider, profile: Profile | undefined, secret?: Secret) {
  const { subject, username = secret?.fields?.username, name, email, avatar, url } = profile ?? {}
  return { subject, username, name, email, avatar, url, label: username ?? email ?? name ?? provider.name }
}
