import type { LatchkeyClient } from '../client.ts'
import type { ConnectOutcome } from '../connect/flow.ts'
import { LatchkeyError } from '../errors.ts'
import type { ConnectRequest } from '../identities.ts'
import { type Challenge, readChallenge, scopeNames } from '../protocol/www-authenticate.ts'
import { isMcp, type McpProvider } from '../provider.ts'
import { type ConnectedAccount, defaultAccount } from '../snapshot.ts'
import type { McpAuthorizationServer, McpDiscovery } from './discovery.ts'

type Client = Pick<LatchkeyClient, 'providers' | 'getSnapshot' | 'getToken' | 'reportInvalidToken' | 'connect' | 'mcp'>

/** How an MCP client asks a person to sign in. */
export interface McpAuthOptions {
  /**
   * Asks the person to connect: shows a `ConnectPrompt`, and calls `connect` inside its click, where a window may open.
   * Default: nobody is asked, and the call fails with `login_required` or `insufficient_scope`.
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

/** Codes that mean "somebody has to sign in", as opposed to "the server is away". */
const SIGN_IN = ['login_required', 'invalid_token', 'invalid_grant', 'secret_unavailable']

/** The login of one MCP server: its token, and what follows when the server refuses it. */
interface Auth {
  /** @throws LatchkeyError `misuse` when the page does not know the server any more. */
  provider(): McpProvider
  account(): ConnectedAccount | undefined
  /** Undefined where a person has to sign in. */
  token(): Promise<string | undefined>
  /** What follows a 401: another token, or an error. */
  unauthorized(challenge: Challenge | undefined, refused: string | undefined): Promise<void>
  /** What follows a 403 for want of scope: more scope, or an error. @see MCP "Step-Up Authorization Flow" */
  forbidden(challenge: Challenge, operation: string): Promise<void>
  /** A refusal of which only the scopes are known. */
  refused(challenge: Challenge): Promise<void>
  refusedScopes(): LatchkeyError
  /** The operation was allowed, so it may ask for more scope again. */
  allowed(operation: string): void
}

function createAuth(client: Client, providerId: string, { authorize }: McpAuthOptions): Auth {
  const provider = (): McpProvider => {
    const found = client.providers.find(({ id }) => id === providerId)
    if (isMcp(found)) return found
    throw new LatchkeyError('misuse', `There is no MCP server "${providerId}". Add it to the providers.`, {
      provider: providerId,
      next: 'configure',
    })
  }
  const account = () => defaultAccount(client.getSnapshot(), providerId)
  const stepUps = new Map<string, number>()
  let asking: Promise<void> | undefined

  /** Asks once for all calls that wait. */
  function ask(challenge: Challenge | undefined, scopes: string[], code: 'login_required' | 'insufficient_scope') {
    asking ??= (async () => {
      const { id, name } = provider()
      const accountId = account()?.id
      const error = () =>
        new LatchkeyError(
          code,
          code === 'login_required'
            ? `${name} wants you to sign in.`
            : `${name} wants more access: ${scopes.join(', ')}.`,
          { provider: id, account: accountId, next: accountId ? 'reconnect' : 'connect' },
        )
      if (!authorize) throw error()
      const request: ConnectRequest = {
        type: 'authorization_required',
        provider: id,
        ...(scopes.length > 0 && { scopes }),
        ...(accountId && { accountId }),
      }
      let outcome: ConnectOutcome | undefined
      await authorize(request, async () => {
        outcome = await client.connect(id, { challenge, scopes, accountId })
        return outcome
      })
      // The person may have connected in another way than this one: what counts is the account.
      if (outcome ? outcome.status !== 'connected' : account()?.status !== 'connected') throw error()
    })().finally(() => {
      asking = undefined
    })
    return asking
  }

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
    throw new LatchkeyError('temporarily_unavailable', `${provider().name} is not available right now.`, {
      provider: providerId,
      account: held.id,
    })
  }

  let renewing: Promise<boolean> | undefined

  async function unauthorized(challenge: Challenge | undefined, refused: string | undefined): Promise<void> {
    const held = account()
    if (held?.status === 'connected') {
      if (refused !== undefined && (await token()) !== refused) return
      renewing ??= renewed(held, challenge).finally(() => {
        renewing = undefined
      })
      if (await renewing) return
    }
    await ask(challenge, scopeNames(challenge?.scope), 'login_required')
  }

  const refusedScopes = () =>
    new LatchkeyError('insufficient_scope', `${provider().name} does not give this access.`, {
      provider: providerId,
      account: account()?.id,
      next: 'none',
    })

  function refused(challenge: Challenge): Promise<void> {
    const scopes = scopeNames(challenge.scope)
    const held = account()
    const lacking = held?.status === 'connected' && scopes.some((scope) => !held.scopes.includes(scope))
    return lacking ? ask(challenge, scopes, 'insufficient_scope') : unauthorized(challenge, undefined)
  }

  async function forbidden(challenge: Challenge, operation: string): Promise<void> {
    const tries = stepUps.get(operation) ?? 0
    const scopes = scopeNames(challenge.scope)
    if (tries >= MAX_STEP_UPS) {
      stepUps.delete(operation)
      throw refusedScopes()
    }
    stepUps.set(operation, tries + 1)
    await ask(challenge, scopes, 'insufficient_scope')
  }

  return {
    provider,
    account,
    token,
    unauthorized,
    forbidden,
    refused,
    refusedScopes,
    allowed: (operation) => stepUps.delete(operation),
  }
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

const insufficient = (response: Response) => {
  const challenge = response.status === 403 ? readChallenge(response.headers) : undefined
  return challenge?.error === 'insufficient_scope' ? challenge : undefined
}

/** Whether a request goes to the MCP server itself: its token goes nowhere else. @see RFC 6750 §5.3 */
function goesTo(provider: McpProvider, input: string | URL | Request): boolean {
  const { origin, pathname } = new URL(input instanceof Request ? input.url : input)
  const own = new URL(provider.mcp.url)
  return origin === own.origin && pathname === own.pathname
}

const repeatable = (init: RequestInit | undefined) => init?.body === undefined || typeof init.body === 'string'

/** A fetch that handles what a transport leaves to it: step-up only where the transport has its own 401 handling. */
function fetchOf(client: Client, auth: Auth, given: McpAuthOptions['fetch'], all: boolean): typeof globalThis.fetch {
  return async (input, init) => {
    const provider = auth.provider()
    if (input instanceof Request || !goesTo(provider, input)) return (given ?? globalThis.fetch)(input, init)
    const fetch = given ?? (await client.mcp()).fetchFor(provider)
    const operation = operationOf(init)
    for (let refusals = 0; ; ) {
      const headers = new Headers(init?.headers)
      const token = all || refusals > 0 ? await auth.token() : undefined
      if (token) headers.set('authorization', `Bearer ${token}`)
      const response = await fetch(String(input), { redirect: 'error', ...init, headers })
      const challenge = insufficient(response)
      if (challenge && repeatable(init)) {
        await response.body?.cancel()
        await auth.forbidden(challenge, operation)
        refusals += 1
      } else if (response.status === 401 && all && repeatable(init) && refusals < 3) {
        await auth.unauthorized(readChallenge(response.headers), token)
        await response.body?.cancel()
        refusals += 1
      } else {
        if (response.ok) auth.allowed(operation)
        return response
      }
    }
  }
}

/**
 * A fetch for one MCP server, for any transport that takes one: it carries the account's token to that server and to
 * no other, renews it on 401, asks the person when nothing else helps, and asks for more scopes on 403.
 */
export function mcpFetch(client: Client, providerId: string, options: McpAuthOptions = {}): typeof globalThis.fetch {
  const auth = createAuth(client, providerId, options)
  return fetchOf(client, auth, options.fetch, true)
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
    fetch: fetchOf(client, auth, options.fetch, false),
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
  let found: Promise<McpDiscovery> | undefined
  const discovery = () => {
    found ??= client.mcp().then((mcp) => mcp.discover(auth.provider()))
    found.catch(() => {
      found = undefined
    })
    return found
  }
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
      found = undefined
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
