import type { ConnectRequest, Identity } from '@latchkey/core'

/** What a call needs from an account. */
export interface RequireOptions {
  /** Required scopes. Checked only if the identity lists its scopes. */
  scopes?: readonly string[]
  /** The tool that needs the account, shown to the person. */
  toolName?: string
}

/** Whether an identity has these scopes. One that does not list its scopes may have any. */
export const hasScopes = ({ scopes: granted }: Pick<Identity, 'scopes'>, scopes: readonly string[] = []): boolean =>
  granted === undefined || scopes.every((scope) => granted.includes(scope))

/**
 * A tool needs an account that the person has not connected, or not with these scopes. Its JSON is a
 * {@link ConnectRequest}, so a runtime that returns errors as JSON asks the person without further code.
 */
export class AuthorizationRequired extends Error {
  readonly request: ConnectRequest

  constructor(request: Omit<ConnectRequest, 'type' | 'scopes'> & Pick<RequireOptions, 'scopes'>) {
    const { provider, scopes } = request
    const { message = `Connect ${provider} to continue${scopes?.length ? ` (${scopes.join(', ')})` : ''}.` } = request
    super(message)
    this.name = 'AuthorizationRequired'
    // A copy as JSON has no undefined members.
    this.request = JSON.parse(JSON.stringify({ ...request, type: 'authorization_required', message }))
  }

  toJSON(): ConnectRequest {
    return this.request
  }
}
