import { Bundle, BundleSet } from '../bundles/bundle.ts'
import { cancelled, type Limits, pause } from '../ids/deadline.ts'
import { asSpiffeError, SpiffeError, type SpiffeErrorCode } from '../ids/errors.ts'
import { parseTrustDomain, SpiffeId } from '../ids/spiffe-id.ts'
import { type JwtSvid, readJwtSvid } from '../jwt/svid.ts'
import { X509Svid } from '../x509/svid.ts'
import { endpointOf } from './endpoint.ts'
import {
  decodeBundles,
  decodeJwtSvidResponse,
  decodeValidatedId,
  decodeX509SvidResponse,
  encodeJwtSvidRequest,
  encodeValidateJwtSvidRequest,
  RPC,
} from './messages.ts'
import { Transport } from './transport.ts'
import { TIMEOUT } from './updating.ts'

/** How long to wait before retry number `attempt`, which counts from 1. Returns milliseconds. */
export type Backoff = (attempt: number) => number

/** One second more with each attempt, at most thirty seconds. The count starts again when a message arrives. */
export const linearBackoff: Backoff = (attempt) => Math.min(attempt, 30) * 1000

/** Where the Workload API is, and how to retry. */
export interface WorkloadApiOptions {
  /**
   * `unix:///path` or `tcp://IP:port`.
   *
   * @default process.env.SPIFFE_ENDPOINT_SOCKET
   */
  address?: string
  /** @default linearBackoff */
  backoff?: Backoff
  /**
   * Milliseconds that a fetch, or the wait for the first update of a source, may take. A watch has no end.
   *
   * @default 30_000
   */
  timeout?: number | undefined
}

/** The workload's identities and the bundles it trusts. Each update replaces the one before it. */
export interface X509Context {
  /** The default identity is first. */
  readonly svids: readonly X509Svid[]
  readonly bundles: BundleSet
}

/** What a watch calls. */
export interface Watcher<State> {
  /** A new state, which replaces the one before it. */
  onUpdate(state: State): void
  /** A message was discarded or a stream ended. The watch goes on, unless its promise rejects. */
  onError?(error: SpiffeError): void
}

/** What to ask for in {@link WorkloadApiClient.fetchJwtSvid}. */
export interface JwtSvidParams {
  /** The name of the server that the token is for. */
  audience: string
  /** More servers that may accept the token. Each of them can use it at the others. */
  extraAudiences?: readonly string[]
  /**
   * Which of the workload's identities.
   *
   * @default all of them, the default identity first
   */
  subject?: SpiffeId | string | undefined
}

/** Errors that another attempt cannot repair. @see SPIFFE Workload Endpoint §6 */
const FINAL: ReadonlySet<SpiffeErrorCode> = new Set(['invalid_argument', 'unimplemented', 'closed', 'cancelled'])

/** Milliseconds after which a stream counts as one that worked. */
const STEADY = 1000

/**
 * A client of the Workload API: single fetches, and watches that survive restarts of the agent.
 *
 * Every fetch rejects with a {@link SpiffeError}: `permission_denied` if the agent has no identity for this workload,
 * `unavailable` if it cannot be reached, `malformed_response` and the codes of certificates, bundles and tokens for an
 * answer that is not valid, `timeout`, `cancelled` if the signal aborts, `closed` after {@link close}.
 *
 * @see SPIFFE Workload API §4
 */
export class WorkloadApiClient {
  readonly #transport: Transport
  readonly #backoff: Backoff
  readonly #timeout: number

  /** @throws {@link SpiffeError} `not_configured` without an address, `invalid_address` */
  constructor({ address, backoff = linearBackoff, timeout = TIMEOUT }: WorkloadApiOptions = {}) {
    this.#transport = new Transport(endpointOf(address))
    this.#backoff = backoff
    this.#timeout = timeout
  }

  /** Ends every call and watch, and drops the connection. */
  close() {
    this.#transport.close()
  }

  /** The default X509-SVID. */
  async fetchX509Svid(signal?: AbortSignal): Promise<X509Svid> {
    return (await this.fetchX509Svids(signal))[0] as X509Svid
  }

  /** All X509-SVIDs of the workload, the default one first. */
  async fetchX509Svids(signal?: AbortSignal): Promise<readonly X509Svid[]> {
    return (await this.fetchX509Context(signal)).svids
  }

  /** X509-SVIDs and X.509 bundles. */
  async fetchX509Context(signal?: AbortSignal): Promise<X509Context> {
    return readX509Context(await this.#first(RPC.x509Svid, signal))
  }

  /** X.509 bundles, for a workload that needs no identity of its own. */
  async fetchX509Bundles(signal?: AbortSignal): Promise<BundleSet> {
    return readX509Bundles(await this.#first(RPC.x509Bundles, signal))
  }

  /** JWT bundles. */
  async fetchJwtBundles(signal?: AbortSignal): Promise<BundleSet> {
    return readJwtBundles(await this.#first(RPC.jwtBundles, signal))
  }

  /** A JWT-SVID for this audience: that of the default identity, if there are several. */
  async fetchJwtSvid(params: JwtSvidParams, signal?: AbortSignal): Promise<JwtSvid> {
    return (await this.fetchJwtSvids(params, signal))[0] as JwtSvid
  }

  /** JWT-SVIDs for this audience, one for each identity. */
  async fetchJwtSvids(params: JwtSvidParams, signal?: AbortSignal): Promise<readonly JwtSvid[]> {
    const { audience, extraAudiences = [], subject } = params
    if (typeof audience !== 'string' || audience === '')
      throw new SpiffeError('misuse', 'A JWT-SVID is made for an audience, and none is given.')
    const spiffeId = subject === undefined ? '' : SpiffeId.from(subject).toString()
    const request = encodeJwtSvidRequest({ audience: [audience, ...extraAudiences], spiffeId })
    const svids = decodeJwtSvidResponse(await this.#transport.unary(RPC.jwtSvid, request, this.#within(signal)))
    if (svids.length === 0) throw malformed('It has no JWT-SVID.')
    return withoutRepeatedHints(svids).map(({ spiffeId: named, svid: token, hint }) => {
      const svid = readJwtSvid(token, audience, hint)
      if (named !== svid.id.toString() || (spiffeId !== '' && named !== spiffeId))
        throw malformed('A JWT-SVID is of another identity than asked for.')
      return svid
    })
  }

  /** Has the agent verify a token, and returns what the token says. */
  async validateJwtSvid(token: string, audience: string, signal?: AbortSignal): Promise<JwtSvid> {
    const request = encodeValidateJwtSvidRequest({ audience, svid: token })
    const spiffeId = decodeValidatedId(await this.#transport.unary(RPC.validateJwtSvid, request, this.#within(signal)))
    const svid = readJwtSvid(token, audience)
    if (spiffeId !== svid.id.toString()) throw malformed('The agent read another identity from the token.')
    return svid
  }

  /** Follows SVIDs and bundles until the signal aborts or an error is final. It rejects with that. */
  watchX509Context(watcher: Watcher<X509Context>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.x509Svid, readX509Context, watcher, signal)
  }

  /** Follows X.509 bundles, as {@link watchX509Context} does. */
  watchX509Bundles(watcher: Watcher<BundleSet>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.x509Bundles, readX509Bundles, watcher, signal)
  }

  /** Follows JWT bundles, as {@link watchX509Context} does. */
  watchJwtBundles(watcher: Watcher<BundleSet>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.jwtBundles, readJwtBundles, watcher, signal)
  }

  async #watch<State>(
    rpc: string,
    read: (bytes: Uint8Array) => State,
    watcher: Watcher<State>,
    signal: AbortSignal,
  ): Promise<never> {
    let attempt = 0
    for (;;) {
      let received = false
      let thrown: { error: unknown } | undefined
      const opened = performance.now()
      const error = await this.#transport
        .stream(rpc, { signals: [signal] }, (bytes) => {
          attempt = 0
          received = true
          let state: State
          try {
            state = read(bytes)
          } catch (cause) {
            // The old state stays: it is better than a part of a new one.
            const discarded = 'A message of the Workload API was discarded.'
            watcher.onError?.(asSpiffeError(cause, 'malformed_response', discarded))
            return
          }
          try {
            watcher.onUpdate(state)
          } catch (cause) {
            thrown = { error: cause }
            throw cause
          }
        })
        .then(
          () => undefined,
          (reason: SpiffeError) => reason,
        )
      if (thrown) throw thrown.error
      if (signal.aborted) throw cancelled(signal)
      if (error?.code === 'closed') throw error
      if (error) watcher.onError?.(error)
      if (error && FINAL.has(error.code)) throw error
      // A stream that worked and ended is opened again at once (SPIFFE Workload API §4.1). After one that ended as soon as
      // it began, the client waits, or agent and workload would keep each other busy.
      if (received && error?.code !== 'permission_denied' && performance.now() - opened >= STEADY) continue
      await pause(this.#backoff(++attempt), [signal, this.#transport.closing])
    }
  }

  #within(signal: AbortSignal | undefined): Limits {
    return { signals: [signal], timeout: this.#timeout, late: 'The Workload API took too long.' }
  }

  /** The first message of a stream. */
  async #first(rpc: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const first = await this.#transport.stream<Uint8Array>(rpc, this.#within(signal), (bytes, done) => done(bytes))
    if (!first) throw new SpiffeError('unavailable', 'The Workload API sent nothing.')
    return first
  }
}

function malformed(why: string): SpiffeError {
  return new SpiffeError('malformed_response', `A message of the Workload API was discarded. ${why}`)
}

/** Keeps the first of several with the same hint (SPIFFE Workload API §5.2.1). */
function withoutRepeatedHints<T extends { hint: string }>(list: readonly T[]): T[] {
  const seen = new Set<string>()
  return list.filter(({ hint }) => hint === '' || (!seen.has(hint) && seen.add(hint)))
}

function readX509Context(bytes: Uint8Array): X509Context {
  const { svids, federatedBundles } = decodeX509SvidResponse(bytes)
  if (svids.length === 0) throw malformed('It has no X509-SVID.')
  const bundles = new Map<string, Bundle>()
  const read = withoutRepeatedHints(svids).map((message) => {
    const svid = X509Svid.parseRaw(message.x509Svid, message.x509SvidKey, message.hint)
    if (message.spiffeId !== svid.id.toString()) throw malformed('A certificate is of another identity than it says.')
    if (svid.notAfter < Date.now()) throw malformed('An X509-SVID has expired.')
    if (message.bundle.length === 0) throw malformed('An X509-SVID comes without its bundle.')
    const bundle = Bundle.parseX509(svid.id.trustDomain, message.bundle)
    bundles.set(bundle.trustDomain, bundle)
    return svid
  })
  for (const [name, der] of federatedBundles) {
    const bundle = Bundle.parseX509(parseTrustDomain(name), der)
    // The bundle of our own trust domain comes with the SVIDs. A federated entry may not replace it.
    if (!bundles.has(bundle.trustDomain)) bundles.set(bundle.trustDomain, bundle)
  }
  return { svids: read, bundles: new BundleSet(bundles.values()) }
}

function readX509Bundles(bytes: Uint8Array): BundleSet {
  return new BundleSet([...decodeBundles(bytes, 2)].map(([name, der]) => Bundle.parseX509(parseTrustDomain(name), der)))
}

function readJwtBundles(bytes: Uint8Array): BundleSet {
  return new BundleSet(
    [...decodeBundles(bytes, 1)].map(([name, jwks]) => Bundle.parseJwt(parseTrustDomain(name), jwks)),
  )
}
