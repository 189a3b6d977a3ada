import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'

export interface GuardOptions {
  /**
   * Exact origins that may be asked although they are http, on another port, or private: a self-hosted service, a test
   * server. Everything else must be https, on a public address, on 443 or 8443.
   */
  dangerouslyAllowOrigins?: readonly string[]
  /** Default: the system's resolver. */
  lookup?: typeof systemLookup
  /** The whole exchange, in milliseconds. Default: 10 000. */
  timeout?: number
  /** Bytes of an answer's body. Default: 256 kB. */
  maxBytes?: number
}

/** A fetch for addresses that somebody else chose. */
export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

const MAX_HOPS = 3
const PORTS = ['', '8443']

/** Every address that is not a place on the public network. @see RFC 6890 */
const closed = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  closed.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  closed.addSubnet(network, prefix, 'ipv6')
}

/** Whether an address is on the public network. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !closed.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** The one error: whoever chose the address learns nothing about what is there. */
export class GuardError extends Error {
  constructor() {
    super('The address could not be asked.')
    this.name = 'GuardError'
  }
}

/**
 * Makes a fetch that cannot be turned against the network it runs in: addresses are checked after the URL is parsed,
 * names are resolved once and connected to as they were checked, redirects are followed by hand, and answers end at a
 * size and a time. What fails, fails as {@link GuardError}.
 */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { dangerouslyAllowOrigins = [], lookup = systemLookup, timeout = 10_000, maxBytes = 256 * 1024 } = options

  const check = (url: URL): { allowed: boolean } => {
    const allowed = dangerouslyAllowOrigins.includes(url.origin)
    if (url.username || url.password) throw new GuardError()
    if (url.protocol !== 'https:' && !(allowed && url.protocol === 'http:')) throw new GuardError()
    if (!allowed && !PORTS.includes(url.port)) throw new GuardError()
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    // A literal never reaches the resolver, so it is checked here.
    if (!allowed && isIP(host) && !isPublicAddress(host)) throw new GuardError()
    if (!allowed && (host === 'localhost' || host.endsWith('.localhost'))) throw new GuardError()
    return { allowed }
  }

  /** One lookup, every answer of it checked, and the connection goes to what was checked. */
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

  function once(url: URL, init: RequestInit, signal: AbortSignal): Promise<IncomingMessage> {
    const { allowed } = check(url)
    const headers: Record<string, string> = { 'accept-encoding': 'identity' }
    for (const [name, value] of new Headers(init.headers)) headers[name] = value
    // A packed answer could unpack to any size.
    headers['accept-encoding'] = 'identity'
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
        url,
        { method: init.method ?? 'GET', headers, lookup: pinned(allowed), signal, agent: false },
        resolve,
      )
      request.on('error', reject)
      request.end(typeof init.body === 'string' ? init.body : init.body?.toString())
    })
  }

  async function bodyOf(message: IncomingMessage): Promise<Buffer> {
    const encoding = message.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') throw new GuardError()
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of message) {
      size += (chunk as Buffer).length
      if (size > maxBytes) throw new GuardError()
      chunks.push(chunk as Buffer)
    }
    return Buffer.concat(chunks)
  }

  return async (input, init = {}) => {
    const time = AbortSignal.timeout(timeout)
    const signal = init.signal ? AbortSignal.any([init.signal, time]) : time
    let message: IncomingMessage | undefined
    try {
      let url = new URL(input)
      let current = init
      for (let hops = 0; ; hops += 1) {
        message = await once(url, current, signal)
        const { statusCode = 502, headers } = message
        const redirect = [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined
        if (redirect === undefined) {
          const body = await bodyOf(message)
          const empty = statusCode === 204 || statusCode === 304 || statusCode < 200
          return new Response(empty ? null : new Uint8Array(body), {
            status: statusCode,
            headers: Object.entries(headers).flatMap(([name, value]) =>
              [value ?? []].flat().map((one): [string, string] => [name, one]),
            ),
          })
        }
        message.destroy()
        // What carries a secret in its body or header is never sent on.
        if ((init.method ?? 'GET') !== 'GET' || hops >= MAX_HOPS) throw new GuardError()
        const next = new URL(redirect, url)
        if (next.origin !== url.origin) current = { method: 'GET', headers: { accept: '*/*' } }
        url = next
      }
    } catch {
      message?.destroy()
      throw new GuardError()
    }
  }
}
