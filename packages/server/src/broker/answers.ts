import { type ErrorCode, LatchkeyError } from '@latchkey/core'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ApprovalRequired } from '../use/answers.ts'
import type { Env } from './request.ts'

/** What each error of a provider is to the browser; anything else is a 400. */
const STATUSES: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  malformed_response: 502,
  server_error: 502,
  temporarily_unavailable: 503,
}

/** An answer that says no: a code, and a sentence of ours. */
export function refusal(status: ContentfulStatusCode, error: ErrorCode, message: string, headers?: HeadersInit) {
  return new HTTPException(status, { res: Response.json({ error, message }, { status, headers }) })
}

/** A call of a page waits for the yes of its person, who finds it among their requests. */
export const needsApproval = ({ message, notice: { request } }: ApprovalRequired) =>
  new HTTPException(403, { res: Response.json({ error: 'access_denied', message, request }, { status: 403 }) })

export const badRequest = (message: string) => refusal(400, 'invalid_request', message)

/** The same answer for an account of another person and for one that never was. */
export const noAccount = () => refusal(404, 'invalid_request', 'There is no such account.')

export const noRoute = () => refusal(404, 'invalid_request', 'The broker has no such route.')

/** Makes the answer to an error of a route. A provider's own words are never passed on, nor the server's own troubles. */
export const createAnswerOf =
  (onError?: (error: unknown, where: 'request') => void) =>
  (error: Error, c: Context<Env>): Response => {
    if (error === c.get('thrown')) throw error
    if (error instanceof HTTPException) return error.getResponse()
    if (!(error instanceof LatchkeyError) || error.code === 'storage_unavailable') {
      onError?.(error, 'request')
      const message = 'The app could not do this right now. Try again later.'
      return error instanceof LatchkeyError
        ? c.json({ error: 'temporarily_unavailable', message }, 503)
        : c.json({ error: 'server_error', message }, 500)
    }
    // To the browser "network" would mean that the broker is away.
    const code = error.code === 'network' ? 'temporarily_unavailable' : error.code
    if (error.retryAfter !== undefined) c.header('retry-after', String(error.retryAfter))
    return c.json({ error: code, message: error.message }, STATUSES[code] ?? 400)
  }
