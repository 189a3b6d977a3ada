import {
  type ApiKeyProvider,
  type ConnectedAccount,
  type DisconnectReceipt,
  type Identity,
  type KeyFields,
  LatchkeyError,
  type OAuthProvider,
  type Provider,
} from '@latchkey/core'
import { keyScheme } from '@latchkey/core/internal'
import {
  authorizationRequest,
  authorizationResponse,
  connectedAgain,
  type Evidence,
  endOf,
  type Flow,
  granted,
  identify,
  identityOf,
  isOtherPerson,
  isUsable,
  lives,
  renewedAccount,
  renewedSecret,
  withOldRefreshToken,
} from '@latchkey/core/server'
import { type TokenAnswer, type TokenEndpoint, type Verification, verifyKey } from '@latchkey/core/token'
import type { OAuthToken, TokenRequest } from '../agent/context.ts'
import type { AccountReference } from '../agent/references.ts'
import type { Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import type { Opened, VaultSecret } from './accounts.ts'
import type { Vault } from './vault.ts'

/** A flow that is never answered ends after this long. */
const FLOW_LIFE = 10 * 60_000
/** A token with less left than this is not handed out. */
const MIN_VALIDITY = 60

/** What an agent may be given at all, whatever a request says. */
export interface AgentPolicy {
  /** Provider ids. */
  providers: readonly string[]
}

/** Who uses an account, and for what. */
export interface ResolveOptions {
  /** Who acts: checked against the `agents` of the broker, and written to the audit log. */
  agent?: string
  /** The tool that asks, for the audit log. */
  tool?: string
  /** The origin that the tokens will be sent to. An account of a provider whose API is elsewhere is left out. */
  audience?: string
}

/** What was revoked and removed. */
export type Disconnection = DisconnectReceipt

export interface CustodianOptions {
  vault: Vault
  providers: ReadonlyMap<string, Provider>
  /** @throws what a provider without a client deserves. */
  endpointOf(provider: OAuthProvider): TokenEndpoint & { client_id: string }
  /** A fetch that ends in time. */
  fetchFor(): typeof globalThis.fetch
  agents?: Readonly<Record<string, AgentPolicy>>
}

/** Everything that happens to an account in the vault between a click and a tool's call. */
export type Custodian = ReturnType<typeof createCustodian>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createCustodian({ vault, providers, endpointOf, fetchFor, agents }: CustodianOptions) {
  const policies = agents && new Map(Object.entries(agents))

  const oauthOf = (id: string): OAuthProvider => {
    const provider = providers.get(id)
    if (provider?.kind === 'oauth') return provider
    throw unknown()
  }

  /** Puts a new secret on the account it belongs to: the same person's, or a new one. */
  async function adopt(
    owner: Owner,
    provider: Provider,
    secret: VaultSecret,
    evidence: Evidence,
  ): Promise<ConnectedAccount> {
    const accounts = await vault.list(owner)
    const { account: found, nameless } = await identify(provider, secret, accounts, evidence)
    const target = accounts.find(({ id }) => id === evidence.target)
    if (target && target.provider === provider.id && isOtherPerson(found, target)) {
      throw new LatchkeyError('account_changed', `You signed in to another ${provider.name} account.`, {
        provider: provider.id,
        account: target.id,
        next: 'reconnect',
      })
    }
    const saved = await vault.save(owner, found.id, (old) => {
      const complete = withOldRefreshToken(secret, old?.secret)
      return { account: { ...connectedAgain(found, complete, old?.account), custody: 'vault' }, secret: complete }
    })
    // The account had no name until now: it is this one.
    if (found.subject && nameless && nameless.id !== found.id) await vault.remove(owner, nameless.id)
    return saved
  }

  async function renew(owner: Owner, opened: Opened, minValidity: number): Promise<Opened> {
    const { account } = opened
    const { provider, id } = account
    return traced('latchkey.refresh', { 'latchkey.provider': provider, 'latchkey.account': id }, () =>
      vault.renew(owner, id, {
        fresh: ({ account: { status }, secret }) => status !== 'connected' || lives(secret, minValidity),
        refresh: (held) => refresh(owner, held),
        discard: async ({ secret }) => {
          if (secret.token) await endpointOf(oauthOf(provider)).revoke(secret.token)
        },
      }),
    )
  }

  /** Asks the provider, once. A grant that ended there is wiped here. */
  async function refresh(owner: Owner, { account, secret }: Opened): Promise<Opened> {
    const { id, provider } = account
    const event = { action: 'refresh', provider, account: id } as const
    const old = secret.token
    if (!old?.refresh_token) throw ended(account)
    let answer: TokenAnswer
    try {
      answer = await endpointOf(oauthOf(provider)).refresh(old)
    } catch (error) {
      const code = error instanceof LatchkeyError ? error.code : 'server_error'
      await vault.audit.record(owner, { ...event, outcome: 'failed', reason: code })
      if (code !== 'invalid_grant') throw error
      return { account: { ...account, status: 'needs-reconnect', reason: 'revoked' }, secret: { revoked: true } }
    }
    await vault.audit.record(owner, { ...event, outcome: 'allowed' })
    const renewed = renewedSecret(old, answer)
    return { account: renewedAccount(oauthOf(provider), account, answer, renewed), secret: renewed }
  }

  /** The account and a secret that lives for some seconds more. @throws LatchkeyError why there is none. */
  async function use(owner: Owner, id: string, minValidity = MIN_VALIDITY): Promise<Opened> {
    const opened = await vault.open(owner, id)
    if (!opened) throw absent(id)
    const { account, secret } = opened
    if (!isUsable(account.status)) throw ended(account)
    if (account.reason === 'unverified') return checkKey(owner, opened)
    if (lives(secret, minValidity)) return opened
    if (!secret.token?.refresh_token) {
      if (lives(secret, 0)) return opened
      await vault.mark(owner, id, 'needs-reconnect', 'expired')
      throw ended(account)
    }
    let renewed: Opened
    try {
      renewed = await renew(owner, opened, minValidity)
    } catch (error) {
      // The server may be back by the time this token ends.
      const gone = error instanceof LatchkeyError && error.code === 'login_required'
      if (!gone && lives(secret, 0)) return opened
      throw error
    }
    if (renewed.account.status !== 'connected') throw ended(renewed.account)
    return renewed
  }

  /** Tries a key that could not be checked when it was entered. */
  async function checkKey(owner: Owner, opened: Opened): Promise<Opened> {
    const { account, secret } = opened
    const provider = providers.get(account.provider)
    if (provider?.kind !== 'api-key' || !secret.fields) return opened
    let verdict: Verification
    try {
      verdict = await verifyKey(provider, secret.fields, { fetch: fetchFor() })
    } catch (error) {
      await vault.mark(owner, account.id, 'needs-reconnect', 'invalid_token')
      throw error
    }
    if (verdict.status !== 'verified') return opened
    return { account: await adopt(owner, provider, secret, { profile: verdict.profile }), secret }
  }

  /** Why this agent may not have accounts of this provider, or not for this audience. */
  function denialOf(provider: Provider, { agent = '', audience }: ResolveOptions): LatchkeyError | undefined {
    const { id, name, apiBaseUrl } = provider
    if (policies && !policies.get(agent)?.providers.includes(id)) {
      const message = `${name} is not among the providers of agents[${JSON.stringify(agent)}] of createBroker.`
      return new LatchkeyError('access_denied', message, { provider: id, next: 'configure' })
    }
    if (audience !== undefined && audience !== new URL(apiBaseUrl).origin) {
      return new LatchkeyError('invalid_target', `This is not the API of ${name}.`, { provider: id, next: 'none' })
    }
    return undefined
  }

  /** What one call carries, or why it carries nothing. The audit log has an entry for either. */
  async function authorize(
    owner: Owner,
    { provider: providerId, accountId: id }: Pick<AccountReference, 'provider' | 'accountId'>,
    options: ResolveOptions,
  ): Promise<Identity | LatchkeyError> {
    const provider = providers.get(providerId)
    const { agent, tool, audience: host = provider && new URL(provider.apiBaseUrl).origin } = options
    const event = { provider: providerId, account: id, agent, tool, host }
    const deny = async (error: LatchkeyError) => {
      await vault.audit.record(owner, { action: 'deny', ...event, outcome: 'denied', reason: error.code })
      return error
    }
    if (!provider) return deny(unknown())
    const denial = denialOf(provider, options)
    if (denial) return deny(denial)
    if ((await vault.find(owner, id))?.provider !== providerId) return deny(absent(id))
    let opened: Opened
    try {
      opened = await use(owner, id)
    } catch (error) {
      if (error instanceof LatchkeyError) return deny(error)
      return deny(new LatchkeyError('server_error', 'This account could not be read.', { account: id, cause: error }))
    }
    // Written before the secret is handed out: what cannot be recorded does not happen.
    await vault.audit.record(owner, { action: 'use', ...event, outcome: 'allowed' })
    return identityOf(provider, opened.account, opened.secret)
  }

  /** The account that was connected last, of those that can be used. */
  async function newest(owner: Owner, provider: string): Promise<ConnectedAccount | undefined> {
    const accounts = (await vault.list(owner)).filter((account) => account.provider === provider)
    const usable = accounts.filter(({ status }) => isUsable(status))
    // One that time alone has ended is asked for once more: so its end is written down.
    const ended = accounts.filter(({ reason }) => reason === 'expired')
    return (usable.length > 0 ? usable : ended).sort((one, other) => other.connectedAt - one.connectedAt)[0]
  }

  /** Makes sure that an account can be used: an API refused it, or nobody has tried it yet. */
  async function check(owner: Owner, id: string): Promise<ConnectedAccount | undefined> {
    const opened = await vault.open(owner, id)
    if (!opened) return undefined
    const { account, secret } = opened
    try {
      if (account.reason === 'unverified') return (await checkKey(owner, opened)).account
      if (account.status !== 'connected') return account
      if (secret.token?.refresh_token) {
        const fresh = (held: Opened) => held.account.rev !== account.rev || held.account.status !== 'connected'
        const discard = async (late: Opened) => {
          if (late.secret.token) await endpointOf(oauthOf(account.provider)).revoke(late.secret.token)
        }
        await vault.renew(owner, id, { fresh, refresh: (held) => refresh(owner, held), discard })
      } else {
        const provider = providers.get(account.provider)
        if (provider?.kind === 'api-key' && secret.fields) {
          // A key that the provider still takes was refused for another reason.
          await verifyKey(provider, secret.fields, { fetch: fetchFor() }).catch(() =>
            vault.mark(owner, id, 'needs-reconnect', 'invalid_token'),
          )
        } else await vault.mark(owner, id, 'needs-reconnect', 'revoked')
      }
    } catch {
      // The account's word says what became of it.
    }
    return vault.find(owner, id)
  }

  async function disconnect(owner: Owner, id: string): Promise<Disconnection | undefined> {
    const removed = await vault.remove(owner, id)
    if (!removed) return undefined
    const { account, secret } = removed
    const provider = providers.get(account.provider)
    const receipt = { status: 'removed', manageUrl: provider?.manageUrl } as const
    const event = { action: 'revoke', provider: account.provider, account: id } as const
    if (provider?.kind !== 'oauth' || !secret?.token) {
      await vault.audit.record(owner, { ...event, outcome: 'allowed', reason: 'removed' })
      return receipt
    }
    try {
      const revoked = await endpointOf(provider).revoke(secret.token)
      await vault.audit.record(owner, { ...event, outcome: 'allowed', reason: revoked.status })
      return revoked.status === 'revoked' ? revoked : receipt
    } catch (error) {
      const told = new LatchkeyError('temporarily_unavailable', `${provider.name} could not be told.`, { cause: error })
      await vault.audit.record(owner, { ...event, outcome: 'failed', reason: told.code })
      return { ...receipt, error: told }
    }
  }

  return {
    list: vault.list,
    find: vault.find,
    disconnect,
    /** Starts a flow of this session: state and verifier stay here. */
    async start(
      owner: Owner,
      session: string,
      provider: OAuthProvider,
      request: { redirect_uri: string; scopes?: readonly string[]; accountId?: string },
    ): Promise<{ url: string; state: string }> {
      const { client_id } = endpointOf(provider)
      const { redirect_uri, accountId } = request
      // A reconnected account asks for what it had, too.
      const had = accountId === undefined ? [] : ((await vault.find(owner, accountId))?.scopes ?? [])
      const scopes = request.scopes ?? [...new Set([...provider.scopes, ...had])]
      const asked = { redirect_uri, client_id, scopes, accountId, mode: 'popup' } as const
      const { url, flow } = await authorizationRequest(provider, asked)
      await vault.putFlow(owner, session, flow, FLOW_LIFE)
      return { url, state: flow.state }
    },
    /** From the authorization response to the account. */
    async finish(
      owner: Owner,
      session: string,
      state: string,
      query: string,
    ): Promise<ConnectedAccount | 'foreign' | undefined> {
      const flow: Flow | 'foreign' | undefined = await vault.takeFlow(owner, session, state)
      if (flow === undefined || flow === 'foreign') return flow
      const provider = oauthOf(flow.provider)
      return traced('latchkey.connect', { 'latchkey.provider': provider.id }, async () => {
        try {
          const response = await authorizationResponse(provider, flow, new URLSearchParams(query))
          const { redirect_uri, code_verifier, client_id, nonce } = flow
          const answer = await endpointOf(provider).redeem({ response, redirect_uri, code_verifier, client_id, nonce })
          const secret = { token: answer.token, expiresAt: endOf(answer) }
          return await adopt(owner, provider, secret, {
            profile: answer.profile,
            asked: flow.scopes,
            granted: granted(provider, answer, flow.scopes),
            target: flow.accountId,
          })
        } catch (error) {
          const reason = error instanceof LatchkeyError ? error.code : 'server_error'
          await vault.audit.record(owner, { action: 'connect', provider: provider.id, outcome: 'failed', reason })
          throw error
        }
      })
    },
    /** Takes the key that a person entered. @throws LatchkeyError `invalid_token` when the provider refuses it. */
    async connectKey(
      owner: Owner,
      provider: ApiKeyProvider,
      given: KeyFields,
      expected?: string,
    ): Promise<ConnectedAccount> {
      const scheme = keyScheme(provider, given)
      const fields = Object.fromEntries((scheme?.fields ?? []).map((name) => [name, given[name] ?? '']))
      const verdict = await verifyKey(provider, fields, { fetch: fetchFor() })
      const profile = verdict.status === 'verified' ? verdict.profile : undefined
      const reason = profile ? undefined : 'unverified'
      return adopt(owner, provider, { fields }, { profile, reason, target: expected })
    },
    check,
    /** The identities behind references. What this user, agent or audience may not have is left out, and logged. */
    async resolve(owner: Owner, references: readonly AccountReference[], options: ResolveOptions): Promise<Identity[]> {
      // One per provider, as a request carries them: the last one wins.
      const wanted = new Map(references.map((reference) => [reference.provider, reference]))
      const found = await Promise.all([...wanted.values()].map((reference) => authorize(owner, reference, options)))
      return found.filter((one): one is Identity => !(one instanceof LatchkeyError))
    },
    authorize,
    /** What a tool of this user runs with: the account that is asked for, or else the newest that can be used. */
    async token(
      owner: Owner,
      provider: string,
      { accountId, forceRefresh }: TokenRequest,
      options: ResolveOptions,
    ): Promise<OAuthToken | undefined> {
      const account = accountId === undefined ? await newest(owner, provider) : await vault.find(owner, accountId)
      const id = account?.id ?? accountId
      if (id === undefined) return undefined
      const known = providers.get(provider)
      if (forceRefresh && known && account?.provider === provider && !denialOf(known, options)) {
        const { label } = account
        const after = await check(owner, id)
        if (after?.status !== 'connected') return undefined
        if (after.renewable && after.rev === account.rev) {
          // It was refused and nobody could say whether that is for good: no reason to sign in again.
          throw new LatchkeyError('temporarily_unavailable', `${label} could not be renewed right now.`, {
            provider,
            account: id,
          })
        }
      }
      const found = await authorize(owner, { provider, accountId: id }, options)
      if (found instanceof LatchkeyError) return undefined
      const { accessToken, scopes, expiresAt, fields } = found
      return {
        access_token: accessToken,
        accountId: id,
        ...(scopes && { scopes }),
        ...(expiresAt !== undefined && { expiresAt }),
        ...(fields && { fields }),
      }
    },
    /** A user is gone: so is everything here, and every provider is told. */
    async deleteUser(owner: Owner): Promise<Record<string, Disconnection>> {
      const accounts = await vault.list(owner)
      const receipts = await Promise.all(
        accounts.map(async ({ id }) => [id, (await disconnect(owner, id)) ?? { status: 'removed' }] as const),
      )
      return Object.fromEntries(receipts)
    },
    /** Refreshes what ends within some seconds. Resolves to how many were. */
    async refreshDue(aheadSeconds: number): Promise<number> {
      const due = await vault.due(Date.now() + aheadSeconds * 1000, 1000)
      let refreshed = 0
      const next = due.values()
      const worker = async () => {
        for (const { owner, account } of next) {
          const seconds = marginOf(account, aheadSeconds)
          if ((account.expiresAt ?? 0) - seconds * 1000 > Date.now()) continue
          try {
            await use(owner, account.id, seconds)
            refreshed += 1
          } catch {
            // It is in the log, and the next round tries again.
          }
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      return refreshed
    },
  }
}

const unknown = () =>
  new LatchkeyError('not_configured', 'This provider is not among those of createBroker any more.', {
    next: 'configure',
  })

const absent = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected.', { account, next: 'connect' })

const ended = ({ id, provider, label }: ConnectedAccount) =>
  new LatchkeyError('invalid_token', `Access to ${label} has ended.`, { provider, account: id, next: 'reconnect' })

/** A token that lives for a short time is refreshed in the last third of it, not in every round. */
const marginOf = ({ expiresAt = 0, issuedAt = 0 }: ConnectedAccount, aheadSeconds: number) =>
  Math.max(1, Math.min(aheadSeconds, (expiresAt - issuedAt) / 3000))
