import type { ConnectRequest } from '@latchkey/core'

/** What a call needs from an account. */
export interface RequireOptions {
  /** Required scopes. Checked only if the identity lists its scopes. */
  scopes?: readonly string[]
  /** The tool that needs the account, shown to the person. */
  toolName?: string
}

/**
 * A tool needs an account that the person has not connected, or not with these scopes. Its JSON is a
 * {@link ConnectRequest}, so a runtime that returns errors as JSON asks the person without further code.
 */
export class AuthorizationRequired extends Error {
  readonly request: ConnectRequest

  constructor(request: Omit<ConnectRequest, 'type'>) {
    const { provider, scopes } = request
    const message = `Connect ${provider} to continue${scopes?.length ? ` (${scopes.join(', ')})` : ''}.`
    super(request.message ?? message)
    this.name = 'AuthorizationRequired'
    this.request = { type: 'authorization_required', message, ...request }
  }

  toJSON(): ConnectRequest {
    return this.request
  }
}
