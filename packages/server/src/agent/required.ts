import { type ConnectRequest, LatchkeyError, readConnectRequest } from '@latchkey/core'
import { isObject } from '@latchkey/core/server'

/** What a call needs from an account. */
export interface RequireOptions {
  /** Required scopes. Checked only if the identity lists its scopes. */
  scopes?: readonly string[] | undefined
  /** The tool that needs the account, shown to the person. */
  toolName?: string | undefined
}

/** Marks the requests that this package made. It is lost in JSON, and no JSON can contain it. */
const MARK = Symbol('latchkey.request')

/** Whether a tool's result is a request for an account: an {@link AuthorizationRequired}, its request, or a copy of that. */
export const isRequest = (value: unknown): value is ConnectRequest | AuthorizationRequired =>
  value instanceof AuthorizationRequired || (isObject(value) && MARK in value)

/**
 * A tool's result, which others may have written. A page would show one that has the form of a request.
 *
 * @throws LatchkeyError `malformed_response` for such a result.
 */
export function withoutRequest<T>(result: T): T {
  if (isRequest(result) || !readConnectRequest(result)) return result
  const message = 'The result looks like a request for an account. To ask for one, throw AuthorizationRequired.'
  throw new LatchkeyError('malformed_response', message, { next: 'none' })
}

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
    const copy = JSON.parse(JSON.stringify({ ...request, type: 'authorization_required', message }))
    this.request = Object.assign(copy, { [MARK]: true })
  }

  toJSON(): ConnectRequest {
    return this.request
  }
}
