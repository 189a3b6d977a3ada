import type { LatchkeyClient } from '../client.ts'
import type { ConnectOutcome } from '../connect/flow.ts'
import { LatchkeyError, providerError } from '../errors.ts'
import type { ConnectRequest } from '../identities.ts'
import { once } from '../once.ts'
import { type Challenge, readChallenge, scopeNames } from '../protocol/www-authenticate.ts'
import { isMcp, type McpProvider } from '../provider.ts'
import { type ConnectedAccount, defaultAccount } from '../snapshot.ts'
import type { McpAuthorizationServer } from './discovery.ts'

type Client = Pick<LatchkeyClient, 'providers' | 'getSnapshot' | 'getToken' | 'reportInvalidToken' | 'connect' | 'mcp'>

/** How an MCP client asks a person to sign in. */
export interface McpAuthOptions {
  /**
   * Asks the person to connect: shows a `ConnectPrompt`, and calls `connect` inside its click, where a window may open.
   * Default: the person is not asked, and the call fails with `login_required` or `insufficient_scope`.
   */
  authorize?: (request: ConnectRequest, connect: () => Promise<ConnectOutcome>) => Promise<unknown>
  /** Default: the global one, or the broker where the server forbids browsers. */
  fetch?: typeof globalThis.fetch
}

/** An `AuthProvider` of `@modelcontextprotocol/client` 2.x, by shape. */
export interface McpAuthProvider {
  token(): Promise<string | undefined>
  onUnauthorized(context: { response: Response }): Promise<void>
}

/** Tries for more scopes, per operation, until the server's no is taken for an answer. */
const MAX_STEP_UPS = 2

/** Authorizations in a minute that an SDK 1.x transport may ask for. */
const MAX_TRIES = 3

/** Codes that mean that the person has to sign in, and not that the server is away. */
const SIGN_IN = ['login_required', 'invalid_token', 'invalid_grant', 'secret_unavailable']

/** The login of one MCP server: its token, and what follows when the server refuses it. */
function createAuth(client: Client, providerId: string, { authorize, fetch: given }: McpAuthOptions) {
  const stepUps = new Map<string, number>()
  let asking: Promise<void> | undefined
  let renewing: Promise<boolean> | undefined

  /** @throws LatchkeyError `misuse` when the page does not know the server any more. */
  const provider = (): McpProvider => {
    const found = client.providers.find(({ id }) => id === providerId)
    if (isMcp(found)) return found
    const message = `There is no MCP server "${providerId}". Add it to the providers.`
    throw new LatchkeyError('misuse', message, { provider: providerId })
  }
  const account = () => defaultAccount(client.getSnapshot(), providerId)
  const refusedScopes = () =>
    providerError(provider(), 'insufficient_scope', 'does not give this access.', {
      account: account()?.id,
      next: 'none',
    })

  /** Asks the person, once for all calls that wait. */
  function ask(code: 'login_required' | 'insufficient_scope', challenge: Challenge | undefined): Promise<void> {
    asking ??= askPerson(code, challenge).finally(() => {
      asking = undefined
    })
    return asking
  }

  async function askPerson(code: 'login_required' | 'insufficient_scope', challenge: Challenge | undefined) {
    const scopes = scopeNames(challenge?.scope)
    const accountId = account()?.id
    const words = code === 'login_required' ? 'wants you to sign in.' : `wants more access: ${scopes.join(', ')}.`
    const next = accountId ? 'reconnect' : 'connect'
    const error = providerError(provider(), code, words, { account: accountId, next })
    if (!authorize) throw error
    const request: ConnectRequest = {
      type: 'authorization_required',
      provider: providerId,
      ...(scopes.length > 0 && { scopes }),
      ...(accountId && { accountId }),
    }
    let outcome: ConnectOutcome | undefined
    await authorize(request, async () => {
      outcome = await client.connect(providerId, { challenge, scopes, accountId })
      return outcome
    })
    // The person may have connected in another way than this one: what counts is the account.
    if ((outcome ?? account())?.status !== 'connected') throw error
  }

  /** The access token. Undefined where a person has to sign in. */
  async function token(): Promise<string | undefined> {
    if (!account()) return undefined
    try {
      return await client.getToken(providerId)
    } catch (error) {
      // Without a token the server says what it wants. One that is away is no reason to sign in again.
      if (error instanceof LatchkeyError && SIGN_IN.includes(error.code)) return undefined
      throw error
    }
  }

  /** Whether a refused token's account could be renewed where it came from. */
  async function renewed(held: ConnectedAccount, challenge: Challenge | undefined): Promise<boolean> {
    const { server } = await (await client.mcp()).discover(provider(), challenge)
    if (server.issuer !== held.issuer) return false
    const after = await client.reportInvalidToken(held.id)
    if (after.status !== 'connected') return false
    if (after.rev > held.rev) return true
    throw providerError(provider(), 'temporarily_unavailable', 'is not available right now.', { account: held.id })
  }

  /** What follows a 401: another token, or an error. */
  async function unauthorized(challenge: Challenge | undefined, refused?: string): Promise<void> {
    const held = account()
    if (held?.status === 'connected') {
      if (refused !== undefined && (await token()) !== refused) return
      renewing ??= renewed(held, challenge).finally(() => {
        renewing = undefined
      })
      if (await renewing) return
    }
    await ask('login_required', challenge)
  }

  /** What follows a refusal of which only the scopes are known. */
  function refused(challenge: Challenge): Promise<void> {
    const held = account()
    const isLacking = scopeNames(challenge.scope).some((scope) => !held?.scopes.includes(scope))
    return held?.status === 'connected' && isLacking ? ask('insufficient_scope', challenge) : unauthorized(challenge)
  }

  /** What follows a 403 for want of scope: more scope, or an error. @see MCP "Step-Up Authorization Flow" */
  async function forbidden(challenge: Challenge, operation: string): Promise<void> {
    const tries = stepUps.get(operation) ?? 0
    stepUps.set(operation, tries + 1)
    if (tries < MAX_STEP_UPS) return ask('insufficient_scope', challenge)
    stepUps.delete(operation)
    throw refusedScopes()
  }

  /**
   * A fetch that handles what a transport leaves to it.
   *
   * @param handles `all`, or `step-ups` where the transport sends the token and handles a 401 itself.
   */
  const fetchFor =
    (handles: 'all' | 'step-ups'): typeof globalThis.fetch =>
    async (input, init) => {
      const server = provider()
      const { answered, fetchFor } = await client.mcp()
      if (input instanceof Request || !goesTo(server, input)) return answered(given ?? globalThis.fetch)(input, init)
      const ask = given ?? fetchFor(server)
      const fetch = answered((url, sent) => ask(String(url), sent))
      const operation = operationOf(init)
      const isRepeatable = init?.body === undefined || typeof init.body === 'string'
      for (let refusals = 0; ; refusals += 1) {
        const headers = new Headers(init?.headers)
        const sent = handles === 'all' || refusals > 0 ? await token() : undefined
        if (sent) headers.set('authorization', `Bearer ${sent}`)
        const response = await fetch(input, { redirect: 'error', ...init, headers })
        const challenge = readChallenge(response.headers)
        if (response.status === 403 && challenge?.error === 'insufficient_scope' && isRepeatable) {
          await response.body?.cancel()
          await forbidden(challenge, operation)
        } else if (response.status === 401 && handles === 'all' && isRepeatable && refusals < 3) {
          await unauthorized(challenge, sent)
          await response.body?.cancel()
        } else {
          // The operation was allowed, so it may ask for more scope again.
          if (response.ok) stepUps.delete(operation)
          return response
        }
      }
    }

  return { provider, account, token, unauthorized, refused, refusedScopes, fetchFor }
}

/** What a request does, as far as scopes go: a method, and the tool it calls. */
function operationOf(init: RequestInit | undefined): string {
  try {
    const { method, params } = JSON.parse(typeof init?.body === 'string' ? init.body : '{}')
    return `${method} ${params?.name ?? params?.uri ?? ''}`
  } catch {
    return ''
  }
}

/** Whether a request goes to the MCP server itself: its token goes nowhere else. @see RFC 6750 §5.3 */
function goesTo(provider: McpProvider, input: string | URL | Request): boolean {
  const { origin, pathname } = new URL(input instanceof Request ? input.url : input)
  const own = new URL(provider.mcp.url)
  return origin === own.origin && pathname === own.pathname
}

/**
 * A fetch for one MCP server, for any transport that takes one: it carries the account's token to that server and to
 * no other, renews it on 401, asks the person when nothing else helps, and asks for more scopes on 403.
 */
export function mcpFetch(client: Client, providerId: string, options: McpAuthOptions = {}): typeof globalThis.fetch {
  return createAuth(client, providerId, options).fetchFor('all')
}

/**
 * Options for the transports of `@modelcontextprotocol/client` 2.x: an auth provider, and a fetch for the one thing
 * such a provider is not asked about, more scopes.
 */
export function mcpTransport(
  client: Client,
  providerId: string,
  options: McpAuthOptions = {},
): { authProvider: McpAuthProvider; fetch: typeof globalThis.fetch } {
  const auth = createAuth(client, providerId, options)
  let handed: string | undefined
  return {
    authProvider: {
      async token() {
        handed = await auth.token()
        return handed
      },
      onUnauthorized: ({ response }) => auth.unauthorized(readChallenge(response.headers), handed),
    },
    fetch: auth.fetchFor('step-ups'),
  }
}

/** An auth provider for the transports of `@modelcontextprotocol/client` 2.x. Prefer {@link mcpTransport}. */
export function mcpAuthProvider(client: Client, providerId: string, options: McpAuthOptions = {}): McpAuthProvider {
  return mcpTransport(client, providerId, options).authProvider
}

/** An `OAuthClientProvider` of `@modelcontextprotocol/sdk` 1.x, by shape. */
export interface McpOAuthClientProvider {
  readonly redirectUrl: string
  readonly clientMetadata: { client_name: string; redirect_uris: string[] }
  /** Registers this app where it is not registered yet. */
  clientInformation(): Promise<{ client_id: string }>
  /** Does nothing: registrations are kept by Latchkey. */
  saveClientInformation(): void
  /** The access token, and never a refresh token. */
  tokens(): Promise<{ access_token: string; token_type: string; scope: string | undefined } | undefined>
  /** @throws LatchkeyError `misuse`: Latchkey finishes authorizations itself. */
  saveTokens(): never
  /** Reads the scopes of the request, and asks the person for them. */
  redirectToAuthorization(url: URL): Promise<void>
  /** Does nothing: the code verifier is Latchkey's. */
  saveCodeVerifier(): void
  /** @throws LatchkeyError `misuse`: Latchkey finishes authorizations itself. */
  codeVerifier(): never
  discoveryState(): Promise<{
    authorizationServerUrl: string
    authorizationServerMetadata: McpAuthorizationServer & { response_types_supported: string[] }
    resourceMetadata: { resource: string; authorization_servers: string[] }
  }>
  validateResourceURL(): Promise<URL>
}

/**
 * An `OAuthClientProvider` for transports of `@modelcontextprotocol/sdk` 1.x and clients built on them. It holds no
 * refresh token, so the SDK never refreshes; discovery and registration are Latchkey's, and so is the authorization:
 * the SDK's own request is read for its scopes and never sent. After `UnauthorizedError` connect again: the token is
 * there. Where the client takes a `fetch`, {@link mcpFetch} does all of this without that second call.
 */
export function mcpOAuthClientProvider(
  client: Client,
  providerId: string,
  options: McpAuthOptions = {},
): McpOAuthClientProvider {
  const auth = createAuth(client, providerId, options)
  const discover = async () => (await client.mcp()).discover(auth.provider())
  let discovery = once(discover)
  let redirectUrl = ''
  let recent: number[] = []
  const ours = (): never => {
    throw new LatchkeyError('misuse', 'Latchkey finishes authorizations itself. Connect again instead of finishAuth().')
  }
  return {
    get redirectUrl() {
      return redirectUrl || 'about:blank'
    },
    get clientMetadata() {
      return { client_name: 'Latchkey', redirect_uris: [redirectUrl] }
    },
    async clientInformation() {
      const mcp = await client.mcp()
      redirectUrl = mcp.redirectUri
      const { client_id } = await mcp.register(auth.provider())
      return { client_id }
    },
    saveClientInformation() {},
    async tokens() {
      const access_token = await auth.token()
      return access_token === undefined
        ? undefined
        : { access_token, token_type: 'Bearer', scope: auth.account()?.scopes.join(' ') }
    },
    saveTokens: ours,
    async redirectToAuthorization(url: URL) {
      discovery = once(discover)
      // The SDK does not say whether it was a 401 or a 403, nor that the last try helped: so many, and no more.
      recent = recent.filter((time) => time > Date.now() - 60_000)
      const challenge = { scope: url.searchParams.get('scope') ?? undefined }
      if (recent.length >= MAX_TRIES) throw auth.refusedScopes()
      recent.push(Date.now())
      await auth.refused(challenge)
    },
    saveCodeVerifier() {},
    codeVerifier: ours,
    async discoveryState() {
      const { server, resource } = await discovery()
      return {
        authorizationServerUrl: server.issuer,
        authorizationServerMetadata: { ...server, response_types_supported: ['code'] },
        resourceMetadata: { resource, authorization_servers: [server.issuer] },
      }
    },
    async validateResourceURL() {
      return new URL((await discovery()).resource)
    },
  }
}
