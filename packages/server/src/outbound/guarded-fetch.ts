import { lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { once, readBounded } from '@latchkey/core/server'
import type { RequestInit as UndiciInit } from 'undici'
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
   * Maximum milliseconds from the request to the last byte.
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
const REDIRECTS = [301, 302, 303, 307, 308]
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

/**
 * Makes a fetch that is safe against SSRF. Addresses are checked after the URL is parsed. A host is resolved once, and the
 * connection goes to the address that was checked. Each redirect is checked in the same way. Answers have limits of size and
 * time. An answer is buffered whole, but an event stream that the request accepts is passed on with backpressure. Every
 * failure is a {@link GuardError}.
 */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { dangerouslyAllowOrigins = [], lookup = systemLookup, timeout = 10_000, maxBytes = 256 * 1024 } = options
  const limits = { ...STREAMS, ...options.streams }

  /** Whether a URL is of an allowed origin. @throws GuardError for a URL that may not be called */
  function check(url: URL): boolean {
    const allowed = dangerouslyAllowOrigins.includes(url.origin)
    if (url.username || url.password) throw new GuardError()
    if (url.protocol !== 'https:' && !(allowed && url.protocol === 'http:')) throw new GuardError()
    if (!allowed && !PORTS.includes(url.port)) throw new GuardError()
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    // An IP literal never reaches the resolver, so it is checked here.
    if (!allowed && isIP(host) && !isPublicAddress(host)) throw new GuardError()
    if (!allowed && (host === 'localhost' || host.endsWith('.localhost'))) throw new GuardError()
    return allowed
  }

  /** Looks a host up once and checks every address, so that the connection goes to a checked address. */
  const pinned =
    (allowed: boolean): LookupFunction =>
    (hostname, { family, all }, callback) => {
      lookup(hostname, { all: true, family }, (error, addresses) => {
        const isOpen = allowed || addresses?.every(({ address }) => isPublicAddress(address))
        if (error || addresses.length === 0 || !isOpen) callback(new GuardError(), '', 4)
        // With `autoSelectFamily` off, one address is expected.
        else if (all) callback(null, addresses, undefined)
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family)
      })
    }

  /** Loads undici with the first request. Its own time limits are off: those of the guarded fetch are kept. */
  const transport = (allowed: boolean) =>
    once(async () => {
      const { Agent, fetch } = await import('undici')
      const connect = { lookup: pinned(allowed), timeout: 0 }
      return { fetch, dispatcher: new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 }) }
    })
  // Separate pools: addresses are checked only when connecting, so no connection is shared.
  const toPublic = transport(false)
  const toAllowed = transport(true)

  /** Sends a request, and follows its redirects. */
  async function send(url: URL, init: RequestInit, hops = 0): Promise<Response> {
    const { fetch, dispatcher } = await (check(url) ? toAllowed : toPublic)()
    const headers = new Headers(init.headers)
    // A compressed answer could grow to any size.
    headers.set('accept-encoding', 'identity')
    const request = { ...init, headers: [...headers], redirect: 'manual', dispatcher } as UndiciInit
    const answer = (await fetch(url, request)) as unknown as Response
    const location = REDIRECTS.includes(answer.status) ? answer.headers.get('location') : null
    if (location === null) return answer
    await answer.body?.cancel()
    // A body, or headers to another origin, may carry a secret, so a redirect never forwards them.
    if ((init.method ?? 'GET') !== 'GET' || hops >= MAX_HOPS) throw new GuardError()
    const next = new URL(location, url)
    return send(next, next.origin === url.origin ? init : { signal: init.signal }, hops + 1)
  }

  return async (input, init = {}) => {
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), timeout)
    const streams = new Headers(init.headers).get('accept')?.includes('text/event-stream')
    const signals = [stop.signal, init.signal, streams && AbortSignal.timeout(limits.lifetime)]
    try {
      const signal = AbortSignal.any(signals.filter((one) => one instanceof AbortSignal))
      const { status, headers, body } = await send(new URL(input), { ...init, signal })
      if ((headers.get('content-encoding') ?? 'identity') !== 'identity') throw new GuardError()
      const isStream = body && streams && EVENT_STREAM.test(headers.get('content-type') ?? '')
      const passed = isStream ? streamOf(body, limits, stop) : await readBounded(body, maxBytes, () => new GuardError())
      return new Response(body && passed, { status, headers: [...headers] })
    } catch {
      stop.abort()
      throw new GuardError()
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The body of an event stream, with backpressure. Cancelling it closes the connection. */
function streamOf(
  body: ReadableStream<Uint8Array>,
  { idle, maxBytes }: Required<StreamLimits>,
  stop: AbortController,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let left = maxBytes
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const timer = setTimeout(() => stop.abort(), idle)
        try {
          const { done, value } = await reader.read()
          left -= value?.byteLength ?? 0
          if (left < 0) throw new GuardError()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch {
          stop.abort()
          controller.error(new GuardError())
        } finally {
          clearTimeout(timer)
        }
      },
      cancel: () => stop.abort(),
    },
    // Nothing is read ahead of the consumer.
    { highWaterMark: 0 },
  )
}
