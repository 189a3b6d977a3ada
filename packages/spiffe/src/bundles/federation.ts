import http from 'node:http'
import { authorizeAny, authorizeId } from '../ids/authorize.ts'
import { pause, withDeadline } from '../ids/deadline.ts'
import { asSpiffeError, SpiffeError } from '../ids/errors.ts'
import { parseTrustDomain, type SpiffeId } from '../ids/spiffe-id.ts'
import { type ConnectOptions, connect } from '../tls/connect.ts'
import { createServer, listening } from '../tls/server.ts'
import type { X509Provider } from '../workload/sources.ts'
import { opened, Updating } from '../workload/updating.ts'
import { Bundle, type BundleProvider } from './bundle.ts'

/** How a bundle endpoint proves itself. @see SPIFFE Federation §5.2 */
export type EndpointProfile =
  /** By its host name, to the Web PKI or to the given roots in PEM. */
  | { profile: 'https_web'; ca?: string }
  /** By the X509-SVID of this ID, to the bundle of its trust domain among these. */
  | { profile: 'https_spiffe'; endpointId: SpiffeId | string; bundles: BundleProvider }

/** Options of {@link fetchBundle}: the endpoint's profile, and when to stop waiting. */
export type FetchBundleOptions = EndpointProfile & {
  signal?: AbortSignal
  /**
   * Milliseconds for connecting, and again for the answer.
   *
   * @default 10_000
   */
  timeout?: number
}

const MAX_BUNDLE = 4 * 1024 * 1024
const MAX_REDIRECTS = 3
const DEFAULT_REFRESH = 300
const TIMEOUT = 10_000

/**
 * Fetches a trust domain's bundle from its endpoint. A redirect is followed if its target is a valid endpoint too. The target
 * must prove itself in the same way.
 *
 * @throws {@link SpiffeError} `invalid_address` for the URL or a redirect, `invalid_bundle`, `unavailable`, or the codes of
 * `connect`
 * @see SPIFFE Federation §5.2, §7.5.1
 */
export async function fetchBundle(trustDomain: string, url: string, options: FetchBundleOptions): Promise<Bundle> {
  const name = parseTrustDomain(trustDomain)
  let at = endpointUrl(url)
  for (let redirects = 0; ; redirects++) {
    const answer = await get(at, options)
    if (answer.location === undefined) return Bundle.parse(name, answer.body)
    if (redirects >= MAX_REDIRECTS) throw new SpiffeError('unavailable', 'The bundle endpoint redirects without end.')
    at = endpointUrl(answer.location, at)
  }
}

/** @see SPIFFE Federation §5.2.1.1, §5.2.2.1 */
function endpointUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '')
    throw new SpiffeError('invalid_address', 'A bundle endpoint has an https URL without user information.')
  return url
}

async function get(url: URL, options: FetchBundleOptions): Promise<{ location?: string; body: Buffer }> {
  const { signal, timeout = TIMEOUT } = options
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const authentication: Pick<ConnectOptions, 'authorize' | 'server'> =
    options.profile === 'https_spiffe'
      ? { authorize: authorizeId(options.endpointId) }
      : { authorize: authorizeAny(), server: options.ca === undefined ? 'web' : { ca: options.ca } }
  const bundles = options.profile === 'https_spiffe' ? options.bundles : { getBundle: () => undefined }
  const socket = await connect(bundles, {
    host,
    port: Number(url.port || 443),
    ...authentication,
    present: false,
    signal,
    timeout,
  })
  const limits = { signals: [signal], timeout, late: 'The bundle endpoint took too long.' }
  return withDeadline(limits, (resolve, reject) => {
    const fail = (error: Error) => reject(asSpiffeError(error, 'unavailable', 'The bundle endpoint did not answer.'))
    const request = http.request({
      createConnection: () => socket,
      host,
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, accept: 'application/json' },
    })
    request.on('error', fail)
    // After an answer 101 Switching Protocols, Node closes the connection with neither a response nor an error.
    request.on('close', () => reject(new SpiffeError('unavailable', 'The bundle endpoint closed the connection.')))
    request.on('response', (response) => {
      const { statusCode = 0, headers } = response
      const chunks: Buffer[] = []
      let size = 0
      response.on('error', fail)
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BUNDLE) return fail(new SpiffeError('invalid_bundle', 'The bundle is too large.'))
        chunks.push(chunk)
      })
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        if ([301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined)
          return resolve({ location: headers.location, body })
        if (statusCode !== 200)
          return reject(new SpiffeError('unavailable', `The bundle endpoint answered with status ${statusCode}.`))
        resolve({ body })
      })
    })
    request.end()
    return () => {
      request.destroy()
      socket.destroy()
    }
  })
}

/** Options of {@link FederatedBundle.watch}. */
export interface WatchBundleOptions {
  /** The foreign trust domain. */
  trustDomain: string
  /** Its bundle endpoint. */
  url: string
  /**
   * How the endpoint proves itself. If it proves an ID of this same trust domain, the given bundles are used for the first
   * fetch and the newest bundle for later ones.
   */
  endpoint: EndpointProfile
  /**
   * Returns milliseconds until the next fetch. `hint` is the bundle's own wish, in seconds.
   *
   * @default the bundle's hint, else five minutes; at most one minute after a failure
   */
  refresh?: (hint: number | undefined, failed: boolean) => number
  /** A bundle that is known already, such as from a file. */
  initial?: Bundle
  /** Stops waiting for the first bundle. */
  signal?: AbortSignal
  /**
   * Milliseconds to wait for the first bundle.
   *
   * @default 30_000
   */
  timeout?: number
}

/**
 * A foreign trust domain's bundle, kept up to date from its endpoint. Once a bundle has a sequence number, only one with a
 * higher number replaces its keys.
 *
 * @see SPIFFE Trust Domain and Bundle §4.1.1
 */
export class FederatedBundle extends Updating implements BundleProvider {
  readonly trustDomain: string
  readonly #options: WatchBundleOptions
  #bundle: Bundle | undefined

  private constructor(options: WatchBundleOptions) {
    super()
    this.trustDomain = parseTrustDomain(options.trustDomain)
    this.#options = options
    this.#bundle = options.initial
    endpointUrl(options.url)
    this.keep(this.#follow())
  }

  /**
   * Resolves with the first bundle: at once, if `initial` is given. Failed fetches are `error` events and are repeated.
   *
   * @throws {@link SpiffeError} `invalid_address`, `invalid_id`, `timeout` with the last failure as its cause, or `cancelled`
   */
  static async watch(options: WatchBundleOptions): Promise<FederatedBundle> {
    const federated = new FederatedBundle(options)
    return opened(federated, () => federated.#bundle !== undefined, options)
  }

  /** The newest bundle. @throws {@link SpiffeError} `closed` */
  get bundle(): Bundle {
    this.checkOpen()
    return this.#bundle as Bundle
  }

  getBundle(trustDomain: string): Bundle | undefined {
    this.checkOpen()
    return trustDomain === this.trustDomain ? this.#bundle : undefined
  }

  async #follow(): Promise<never> {
    const { url, endpoint, refresh = defaultRefresh } = this.#options
    for (;;) {
      let failed = false
      try {
        this.#take(await fetchBundle(this.trustDomain, url, { ...this.#trusting(endpoint), signal: this.closing }))
      } catch (error) {
        failed = true
        this.failed(asSpiffeError(error, 'unavailable', 'The bundle could not be fetched.'))
      }
      await pause(refresh(this.#bundle?.refreshHint, failed), [this.closing])
    }
  }

  #take(bundle: Bundle) {
    const before = this.#bundle
    // A replayed or forged bundle must not bring back keys that were withdrawn.
    if (before?.sequence !== undefined) {
      if (bundle.sequence === undefined)
        throw new SpiffeError(
          'invalid_bundle',
          'The endpoint serves a bundle without a sequence number after one with it.',
        )
      if (bundle.sequence < before.sequence)
        throw new SpiffeError('invalid_bundle', 'The endpoint serves a bundle that is older than the one known.')
      if (bundle.sequence === before.sequence && !keysOf(bundle).equals(keysOf(before)))
        throw new SpiffeError(
          'invalid_bundle',
          'The endpoint serves other keys under the sequence number of those known.',
        )
    }
    if (before?.equals(bundle)) return
    this.#bundle = bundle
    this.updated()
  }

  /** An endpoint in the trust domain that it serves is verified by the newest bundle (SPIFFE Federation §5.2.2). */
  #trusting(endpoint: EndpointProfile): EndpointProfile {
    if (endpoint.profile === 'https_web' || !this.#bundle) return endpoint
    const { bundles } = endpoint
    const own: BundleProvider = {
      getBundle: (name) => (name === this.trustDomain ? this.#bundle : bundles.getBundle(name)),
    }
    return { ...endpoint, bundles: own }
  }
}

/** The bundle without its sequence number and refresh hint. */
function keysOf({ trustDomain, x509Authorities, jwtAuthorities }: Bundle): Bundle {
  return new Bundle(trustDomain, { x509Authorities, jwtAuthorities })
}

function defaultRefresh(hint: number | undefined, failed: boolean): number {
  const seconds = Math.max(1, hint ?? DEFAULT_REFRESH)
  return Math.min(failed ? Math.min(seconds, 60) : seconds, 2 ** 21) * 1000
}

/**
 * A handler that serves a trust domain's bundle as JWKS, for any path of any server.
 *
 * @see SPIFFE Federation §5.2.1.2
 */
export function bundleHandler(bundles: BundleProvider, trustDomain: string): (request: Request) => Response {
  const name = parseTrustDomain(trustDomain)
  return ({ method }) => {
    const { body, ...init } = answerOf(bundles, name, method)
    return new Response(body, init)
  }
}

function answerOf(
  bundles: BundleProvider,
  name: string,
  method: string,
): { status: number; headers?: Record<string, string>; body: string | null } {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' }, body: null }
  let bundle: Bundle | undefined
  try {
    bundle = bundles.getBundle(name)
  } catch {
    // The source is closed.
    return { status: 503, body: null }
  }
  if (!bundle) return { status: 404, body: null }
  const headers = { 'content-type': 'application/json' }
  return { status: 200, headers, body: method === 'HEAD' ? null : bundle.marshal() }
}

/** Options of {@link serveBundle}. */
export interface ServeBundleOptions {
  trustDomain: string
  /** @default the source's own bundles */
  bundles?: BundleProvider
  /** @default '127.0.0.1' */
  host?: string
  /** @default a free port */
  port?: number
  /** A certificate of the Web PKI and its key, in PEM: `https_web`. Without it the SVID is shown: `https_spiffe`. */
  web?: { cert: string; key: string }
}

/** Serves a trust domain's bundle from a server of its own. @throws {@link SpiffeError} if the source has no SVID */
export async function serveBundle(
  source: X509Provider,
  { trustDomain, bundles = source, host, port, web }: ServeBundleOptions,
): Promise<{ host: string; port: number; close(): Promise<void> }> {
  const name = parseTrustDomain(trustDomain)
  const answering = http.createServer(({ method = '' }, response) => {
    const { status, headers, body } = answerOf(bundles, name, method)
    response.writeHead(status, headers).end(body)
  })
  // Anybody may connect, so idle connections are closed.
  answering.timeout = TIMEOUT
  const options = { authorize: authorizeAny(), requestClient: false, ...(web ? { web } : {}) }
  const serving = createServer(source, options, (socket) => {
    answering.emit('connection', socket)
  })
  const address = await listening(serving.server, port, host)
  return { ...address, close: () => serving.close() }
}
