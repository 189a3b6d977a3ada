import {
  type ApiKeyProvider,
  type ConnectedAccount,
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
  granted,
  identify,
  isOtherPerson,
  withOldRefreshToken,
} from '@latchkey/core/server'
import { verifyKey } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import type { VaultSecret } from './accounts.ts'
import type { SessionOwner } from './flows.ts'
import { failure, oauthOf, type Upkeep } from './upkeep.ts'

/** A flow that is never answered ends after this many milliseconds. */
const FLOW_LIFE = 10 * 60_000

/** What a page asks for when it starts a flow. */
export interface FlowRequest {
  redirect_uri: string
  /** @default the provider's, and those that the account has */
  scopes?: readonly string[]
  /** The account to connect again. */
  accountId?: string
}

/** Connects accounts. */
export interface Connections {
  /** Starts a flow. Its state and verifier stay on the server. */
  start(owner: SessionOwner, provider: OAuthProvider, request: FlowRequest): Promise<{ url: string; state: string }>
  /** Turns the authorization response into an account. `foreign` if another session started the flow. */
  finish(owner: SessionOwner, state: string, response: string): Promise<ConnectedAccount | 'foreign' | undefined>
  /**
   * Takes the key that a person entered.
   *
   * @param expected The account to connect again.
   * @throws LatchkeyError `invalid_token` if the provider refuses the key.
   */
  connectKey(owner: Owner, provider: ApiKeyProvider, given: KeyFields, expected?: string): Promise<ConnectedAccount>
}

export function createConnections(upkeep: Upkeep): Connections {
  const { vault, endpointOf, fetchFor } = upkeep
  return {
    async start(owner, provider, { redirect_uri, accountId, scopes }) {
      const { client_id } = endpointOf(provider)
      // A reconnected account asks for what it had, too. Only if the facts have not been changed.
      const old = accountId === undefined ? undefined : await vault.open(owner, accountId).catch(() => undefined)
      const asked = scopes ?? [...new Set([...provider.scopes, ...(old?.account.scopes ?? [])])]
      const request = { redirect_uri, client_id, scopes: asked, accountId, mode: 'popup' } as const
      const { url, flow } = await authorizationRequest(provider, request, false, fetchFor())
      await vault.putFlow(owner, flow, FLOW_LIFE)
      return { url, state: flow.state }
    },
    async finish(owner, state, query) {
      const flow = await vault.takeFlow(owner, state)
      if (flow === undefined || flow === 'foreign') return flow
      const provider = oauthOf(upkeep, flow.provider)
      return traced('latchkey.connect', { 'latchkey.provider': provider.id }, async () => {
        try {
          const response = await authorizationResponse(provider, flow, new URLSearchParams(query), fetchFor())
          const answer = await endpointOf(provider).redeem({ ...flow, response })
          const secret = { token: answer.token, expiresAt: endOf(answer) }
          return await adopt(upkeep, owner, provider, secret, {
            profile: answer.profile,
            asked: flow.scopes,
            granted: granted(provider, answer, flow.scopes),
            target: flow.accountId,
          })
        } catch (error) {
          await vault.audit.record(owner, { action: 'connect', provider: provider.id, ...failure(error) })
          throw error
        }
      })
    },
    async connectKey(owner, provider, given, expected) {
      const scheme = keyScheme(provider, given)
      const fields = Object.fromEntries((scheme?.fields ?? []).map((name) => [name, given[name] ?? '']))
      const verdict = await verifyKey(provider, fields, { fetch: fetchFor() })
      const profile = verdict.status === 'verified' ? verdict.profile : undefined
      const reason = profile ? undefined : 'unverified'
      return adopt(upkeep, owner, provider, { fields }, { profile, reason, target: expected })
    },
  }
}

/** Gives a new secret to the account that it belongs to: the same person's, or a new one. */
export async function adopt(
  { vault }: Upkeep,
  owner: Owner,
  provider: Provider,
  secret: VaultSecret,
  evidence: Evidence,
): Promise<ConnectedAccount> {
  const accounts = await vault.list(owner)
  const { account: found, nameless } = await identify(provider, secret, accounts, evidence)
  const target = accounts.find((account) => account.id === evidence.target && account.provider === provider.id)
  // At another issuer the same person is another account.
  const moved = target && target.issuer !== found.issuer
  if (target && !moved && isOtherPerson(found, target)) {
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
  if (moved && target.id !== found.id) await vault.remove(owner, target.id)
  return saved
}
