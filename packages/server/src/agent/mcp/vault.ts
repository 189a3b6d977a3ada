import { LatchkeyError, memoryStore, type OAuthProvider } from '@latchkey/core'
import {
  type AppMetadata,
  createRegistrations,
  discoverMcp,
  type McpProvider,
  type RegistrationStore,
} from '@latchkey/core/mcp'
import { boundMcp, challengeOf, selectScopes } from '@latchkey/core/server'
import type { BrokerClient } from '../../env.ts'
import { createGuardedFetch, type GuardedFetch } from '../../outbound/guarded-fetch.ts'

/** Options of {@link mcpForVault}. */
export interface McpVaultOptions {
  /** The OAuth redirect URI, such as `https://app.example/api/latchkey/callback`. */
  redirectUri: string
  /** Client metadata for registration. */
  app?: AppMetadata
  /**
   * Where registrations are stored, with their secrets.
   *
   * @default in memory, so each start registers again
   */
  registrations?: RegistrationStore
  /** @default createGuardedFetch(), which connects to public https addresses only */
  fetch?: GuardedFetch
}

/**
 * Prepares an MCP server whose accounts are in the vault: finds its authorization server, registers this app there, and
 * returns the provider and client for `createBroker`. Call it when your server starts. The MCP server's metadata is checked
 * as in a browser.
 *
 * ```ts
 * const notes = await mcpForVault(mcp({ id: 'notes', url: 'https://notes.example/mcp' }), { redirectUri })
 * createBroker({ providers: [notes.provider], clients: { notes: notes.client }, vault, … })
 * ```
 *
 * @throws LatchkeyError if the server cannot be reached, or its metadata is not safe to use.
 */
export async function mcpForVault(
  provider: McpProvider,
  options: McpVaultOptions,
): Promise<{ provider: OAuthProvider; client: BrokerClient }> {
  const { redirectUri, app, fetch = createGuardedFetch() } = options
  const { registrations = createRegistrations({ storage: memoryStore() }) } = options
  const { id, name, mcp, client: configured } = provider
  const challenge = await challengeOf(provider, fetch, app?.client_name)
  const discovery = await discoverMcp(provider, fetch, challenge)
  const { server, resource } = discovery
  if (configured.client_id && mcp.issuer && mcp.issuer !== server.issuer) {
    const message = `${name} has moved to another authorization server.`
    throw new LatchkeyError('not_configured', message, { provider: id })
  }
  const client = configured.client_id
    ? await registrations.remember({
        issuer: server.issuer,
        client_id: configured.client_id,
        method: 'pre-registered',
        token_endpoint_auth_method: configured.token_endpoint_auth_method,
        redirect_uris: [redirectUri],
      })
    : await registrations.getOrCreate(server, { redirectUri, name, provider: id, ask: fetch, app })
  const secret = await registrations.open(server.issuer)
  const scopes = selectScopes(provider, discovery, challenge)
  return {
    provider: boundMcp(provider, { server, client, scopes, resource }),
    client: { client_id: client.client_id, client_secret: secret?.client_secret },
  }
}
