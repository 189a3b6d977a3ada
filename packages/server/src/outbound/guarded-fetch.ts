import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import { readBounded } from '@latchkey/core/server'
import type { Agent, Dispatcher } from 'undici'
import { isPublicAddress } from './public-address.ts'

/** Options of {@link createGuardedFetch}. */
export interface GuardOptions {
  /**
   * Exact origins that are allowed although they are http, on another port or on a private address, such as a self-hosted
   * service or a test server. All others must be https, on a public address, on port 443 or 8443.
   */
  dangerouslyAllowOrigins?: readonly string[]
  /** @default node:dns.lookup */
  lookup?: typeof systemLookup
  /**
   * Milliseconds for the whole exchange; for an event stream, until it begins.
   *
   * @default 10_000
   */
  timeout?: number
  /**
   * Maximum bytes of an answer's body.
   *
   * @default 262_144
   */
  maxBytes?: number
  /** Limits of an event stream, which is passed on unbuffered. Applies only if the request accepts `text/event-stream`. */
  streams?: StreamLimits
}

/** Limits of an event stream. */
export interface StreamLimits {
  /**
   * Maximum milliseconds without a byte.
   *
   * @default 120_000
   */
  idle?: number
  /**
   * Maximum milliseconds from the first byte to the last.
   *
   * @default 3_600_000
   */
  lifetime?: number
  /**
   * Maximum bytes of the whole stream.
   *
   * @default 16_777_216
   */
  maxBytes?: number
}

/** A fetch for URLs from an untrusted source. */
export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

const MAX_HOPS = 3
const STREAMS = { idle: 120_000, lifetime: 3_600_000, maxBytes: 16 * 1024 * 1024 }
const EVENT_STREAM = /^\s*text\/event-stream\s*(;|$)/i
const PORTS = ['', '8443']

/** The only error of a guarded fetch. It never says why, so the sender of the URL learns nothing about the network. */
export class GuardError extends Error {
  constructor() {
    super('The address could not be asked.')
    this.name = 'GuardError'
  }
}

type Answer = Dispatcher.ResponseData

/** Undici is loaded with the first request. The time limits are those of the guarded fetch. */
async function agent(lookup: LookupFunction): Promise<Agent> {
  const { Agent } = await import('undici')
  return new Agent({ connect: { lookup, timeout: 0 }, headersTimeout: 0, bodyTimeout: 0 })
}

/**
 * Makes a fetch that is safe against SSRF. Addresses are checked after the URL is parsed. A host is resolved once, and the
 * connection goes to the address that was checked. Each redirect is checked in the same way. Answers have limits of size and
 * time. An answer is buffered whole, but an event stream that the request accepts is passed on with backpressure. Every
 * failure is a {@link GuardError}.
 */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { dangerouslyAllowOrigins = [], lookup = systemLookup, timeout = 10_000, maxBytes = 256 * 1024 } = options
  const limits = { ...STREAMS, ...options.streams }

  const check = (url: URL): { allowed: boolean } => {
    const allowed = dangerouslyAllowOrigins.includes(url.origin)
    if (url.username || url.password) throw new GuardError()
    if (url.protocol !== 'https:' && !(allowed && url.protocol === 'http:')) throw new GuardError()
    if (!allowed && !PORTS.includes(url.port)) throw new GuardError()
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    // An IP literal never reaches the resolver, so it is checked here.
    if (!allowed && isIP(host) && !isPublicAddress(host)) throw new GuardError()
    if (!allowed && (host === 'localhost' || host.endsWith('.localhost'))) throw new GuardError()
    return { allowed }
  }

  /** Looks a host up once and checks every address, so that the connection goes to a checked address. */
  const pinned =
    (allowed: boolean): LookupFunction =>
    (hostname, { family }, callback) => {
      lookup(
        hostname,
        { all: true, family: family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : family },
        (error, found) => {
          const addresses = found as LookupAddress[]
          if (
            error ||
            addresses.length === 0 ||
            (!allowed && !addresses.every(({ address }) => isPublicAddress(address)))
          ) {
            callback(new GuardError(), '', 4)
            return
          }
          callback(null, addresses, undefined)
        },
      )
    }

  /** Separate pools for allowed and other origins: addresses are checked only when connecting, so no connection is shared. */
  const agents = new Map<boolean, Promise<Agent>>()
  const agentFor = (allowed: boolean) => {
    const made = agents.get(allowed) ?? agent(pinned(allowed))
    agents.set(allowed, made)
    return made
  }

  async function once(url: URL, init: RequestInit, signal: AbortSignal): Promise<Answer> {
    const { allowed } = check(url)
    // A compressed answer could decompress to any size.
    const headers = { ...Object.fromEntries(new Headers(init.headers)), 'accept-encoding': 'identity' }
    const dispatcher = await agentFor(allowed)
    const method = (init.method ?? 'GET') as Dispatcher.HttpMethod
    const body = typeof init.body === 'string' ? init.body : init.body?.toString()
    const path = url.pathname + url.search
    const answer = await dispatcher.request({ origin: url.origin, path, method, headers, body, signal })
    // Destroying a body emits an error. Its reader gets it too, so it is ignored here.
    answer.body.on('error', () => {})
    return answer
  }

  return async (input, init = {}) => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeout)
    const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal
    const streams = new Headers(init.headers).get('accept')?.includes('text/event-stream')
    let answer: Answer | undefined
    try {
      let url = new URL(input)
      let current = init
      for (let hops = 0; ; hops += 1) {
        answer = await once(url, current, signal)
        const { statusCode, headers } = answer
        const redirect = [301, 302, 303, 307, 308].includes(statusCode) ? [headers.location].flat()[0] : undefined
        if (redirect === undefined) {
          const encoding = headers['content-encoding']
          if (encoding !== undefined && encoding !== 'identity') throw new GuardError()
          const empty = statusCode === 204 || statusCode === 304 || statusCode < 200
          const body =
            streams && EVENT_STREAM.test(String(headers['content-type']))
              ? streamOf(answer.body, limits)
              : await readBounded(
                  Readable.toWeb(answer.body) as ReadableStream<Uint8Array>,
                  maxBytes,
                  () => new GuardError(),
                )
          return new Response(empty ? null : body, {
            status: statusCode,
            headers: Object.entries(headers).flatMap(([name, value]) =>
              [value ?? []].flat().map((one): [string, string] => [name, one]),
            ),
          })
        }
        answer.body.destroy()
        // A body, or headers to another origin, may carry a secret, so a redirect never forwards them.
        if ((init.method ?? 'GET') !== 'GET' || hops >= MAX_HOPS) throw new GuardError()
        const next = new URL(redirect, url)
        if (next.origin !== url.origin) current = { method: 'GET', headers: { accept: '*/*' } }
        url = next
      }
    } catch {
      answer?.body.destroy()
      throw new GuardError()
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The body of an event stream, with backpressure. Cancelling it closes the connection. */
function streamOf(body: Answer['body'], limits: Required<StreamLimits>): ReadableStream<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  const end = () => body.destroy(new GuardError())
  const lifetime = setTimeout(end, limits.lifetime)
  lifetime.unref()
  let left = limits.maxBytes
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const idle = setTimeout(end, limits.idle)
        try {
          const { done, value } = await pieces.next()
          if (done) {
            clearTimeout(lifetime)
            controller.close()
            return
          }
          left -= value.byteLength
          if (left < 0) throw new GuardError()
          controller.enqueue(new Uint8Array(value))
        } catch {
          clearTimeout(lifetime)
          body.destroy()
          controller.error(new GuardError())
        } finally {
          clearTimeout(idle)
        }
      },
      cancel() {
        clearTimeout(lifetime)
        body.destroy()
      },
    },
    // Nothing is read ahead of the consumer.
    { highWaterMark: 0 },
  )
}
