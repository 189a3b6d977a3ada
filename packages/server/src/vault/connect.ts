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
  isMoved,
  isOtherPerson,
  withOldRefreshToken,
} from '@latchkey/core/server'
import { verifyKey } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import { absent, type VaultSecret } from './accounts.ts'
import { disconnect } from './disconnect.ts'
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
  /** Asks which account, instead of taking the one that is signed in there. */
  choose?: boolean
  /** Gives up the scopes that are not asked for, where the provider would add them. */
  only?: boolean
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
    async start(owner, provider, { redirect_uri, accountId, scopes, choose, only }) {
      const { client_id } = endpointOf(provider)
      // A reconnected account asks for what it had, too. Only if the facts have not been changed.
      const old = accountId === undefined ? undefined : await vault.open(owner, accountId).catch(() => undefined)
      const asked = {
        redirect_uri,
        client_id,
        scopes: scopes ?? [...new Set([...provider.scopes, ...(old?.account.scopes ?? [])])],
        accountId,
        mode: 'popup',
      } as const
      const how = choose ? 'choose' : only ? 'only' : undefined
      const { url, flow } = await authorizationRequest(provider, asked, how, fetchFor())
      await vault.putFlow(owner, flow, FLOW_LIFE)
      return { url, state: flow.state }
    },
    async finish(owner, state, query) {
      const flow = await vault.takeFlow(owner, state)
      if (flow === undefined || flow === 'foreign') return flow
      // As if it had never begun.
      if ((await vault.deletedAt(owner)) >= flow.startedAt) return undefined
      const provider = oauthOf(upkeep, flow.provider)
      const connect = async () => {
        try {
          const response = await authorizationResponse(provider, flow, new URLSearchParams(query), fetchFor())
          const answer = await endpointOf(provider).redeem({ ...flow, response })
          const secret = { token: answer.token, expiresAt: endOf(answer) }
          const evidence = {
            profile: answer.profile,
            asked: flow.scopes,
            granted: granted(provider, answer, flow.scopes),
            target: flow.accountId,
          }
          return await adopt(upkeep, owner, provider, secret, evidence, flow.startedAt)
        } catch (error) {
          await vault.audit.record(owner, { action: 'connect', provider: provider.id, ...failure(error) })
          throw error
        }
      }
      return vault.during(() => traced('latchkey.connect', { 'latchkey.provider': provider.id }, connect))
    },
    async connectKey(owner, provider, given, expected) {
      const began = Date.now()
      const scheme = keyScheme(provider, given)
      const fields = Object.fromEntries((scheme?.fields ?? []).map((name) => [name, given[name] ?? '']))
      const verdict = await verifyKey(provider, fields, { fetch: fetchFor() })
      const profile = verdict.status === 'verified' ? verdict.profile : undefined
      const reason = profile ? undefined : 'unverified'
      return adopt(upkeep, owner, provider, { fields }, { profile, reason, target: expected }, began)
    },
  }
}

/** Gives a new secret to the account that it belongs to: the same person's, or a new one. */
export async function adopt(
  upkeep: Upkeep,
  owner: Owner,
  provider: Provider,
  secret: VaultSecret,
  evidence: Evidence,
  /** When that began. A user that was deleted since then gets no account. */
  began: number,
): Promise<ConnectedAccount> {
  const { vault } = upkeep
  const accounts = await vault.list(owner)
  const { account: found, nameless } = await identify(provider, secret, accounts, evidence)
  const target = accounts.find((account) => account.id === evidence.target && account.provider === provider.id)
  if (target && isOtherPerson(found, target)) {
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
  if (isMoved(found, target)) await vault.remove(owner, target.id)
  // Asked only now: a deletion that comes later finds the account.
  if ((await vault.deletedAt(owner)) < began) return saved
  await disconnect(upkeep, owner, saved.id)
  throw absent(saved.id)
}
