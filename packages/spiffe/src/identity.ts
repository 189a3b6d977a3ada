import type https from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { ChannelCredentials } from '@grpc/grpc-js'
import { type Address, type ChannelOptions, SecureChannel } from './channel/channel.ts'
import { type Listener, type ListenOptions, listen } from './channel/listener.ts'
import { grpcCredentials } from './grpc/credentials.ts'
import type { Authorizer } from './ids/authorize.ts'
import { waitFor } from './ids/deadline.ts'
import { SpiffeError } from './ids/errors.ts'
import { SpiffeId } from './ids/spiffe-id.ts'
import type { JwtSvid } from './jwt/svid.ts'
import { type AgentOptions, type Connector, httpsAgent, undiciConnector } from './tls/agents.ts'
import { type ConnectOptions, connect } from './tls/connect.ts'
import { WorkloadApiClient, type WorkloadApiOptions } from './workload/client.ts'
import { type GetJwtSvidOptions, JwtSource, type SourceOptions, X509Source } from './workload/sources.ts'
import type { X509Svid } from './x509/svid.ts'

/** Milliseconds. */
const RESOLVE_TIMEOUT = 10_000

/** Options of {@link SpiffeIdentity}. */
export interface SpiffeIdentityOptions extends WorkloadApiOptions {
  /** Finds where an agent listens, within ten seconds. Without it, each channel needs its `address`. */
  resolve?: (id: SpiffeId) => Address | Promise<Address>
  /**
   * Chooses the identity when there are several.
   *
   * @default the first
   */
  picker?: (svids: readonly X509Svid[]) => X509Svid | undefined
}

/**
 * This agent's identity, from the platform it runs on. No secret is configured. The Workload API is asked at the first call
 * that needs it and followed until {@link close}.
 *
 * Each method that needs the Workload API rejects as `X509Source.open` or `JwtSource.open`, and with `closed` after
 * {@link close}.
 *
 * ```ts
 * const identity = new SpiffeIdentity({ resolve: (id) => registry.addressOf(id) })
 * const channel = await identity.createSecureChannel('spiffe://acme.com/agents/data-processor')
 * await channel.request({ action: 'summarize', payload: { table: 'orders' } })
 * ```
 */
export class SpiffeIdentity {
  readonly #options: SpiffeIdentityOptions
  readonly #channels = new Set<SecureChannel>()
  readonly #listeners = new Set<Listener>()
  #client: WorkloadApiClient | undefined
  #x509: Promise<X509Source> | undefined
  #jwt: Promise<JwtSource> | undefined
  readonly #closing = new AbortController()

  constructor(options: SpiffeIdentityOptions = {}) {
    this.#options = options
  }

  /** The source of this identity, for its events, bundles and other SVIDs. Do not close it. */
  x509Source(): Promise<X509Source> {
    this.#x509 ??= this.#open((options) =>
      X509Source.open({ ...options, ...(this.#options.picker ? { picker: this.#options.picker } : {}) }),
    ).catch((error) => {
      // The next call tries again.
      this.#x509 = undefined
      throw error
    })
    return this.#x509
  }

  /** The source of this identity's tokens and JWT bundles. Do not close it. */
  jwtSource(): Promise<JwtSource> {
    this.#jwt ??= this.#open((options) => JwtSource.open(options)).catch((error) => {
      this.#jwt = undefined
      throw error
    })
    return this.#jwt
  }

  /** This agent's present certificate and key. Call it for each use: the platform replaces them often. */
  async getX509Svid(): Promise<X509Svid> {
    return (await this.x509Source()).svid
  }

  /** A token that proves this agent's identity to one audience. */
  async getJwtSvid(audience: string, options?: GetJwtSvidOptions): Promise<JwtSvid> {
    return (await this.jwtSource()).getJwtSvid(audience, options)
  }

  /**
   * The JWT-SVID as a client assertion, for `new ServiceCredentials({ clientAssertion })` and other OAuth clients. The
   * authorization server trusts the trust domain's keys, so there is no client secret. Call it for each token request.
   *
   * @param audience what the authorization server expects in `aud`: mostly its issuer.
   * @see RFC 7523 §2.2, §3
   */
  clientAssertion(audience: string, options?: GetJwtSvidOptions): () => Promise<string> {
    return async () => (await this.getJwtSvid(audience, options)).token
  }

  /**
   * Connects a channel to one agent.
   *
   * @throws {@link SpiffeError} `not_configured` if the address is not known, or the codes of `SecureChannel.connect`
   */
  async createSecureChannel(id: SpiffeId | string, options: Partial<ChannelOptions> = {}): Promise<SecureChannel> {
    const to = SpiffeId.from(id)
    const address = options.address ?? (await this.#addressOf(to))
    if (!address)
      throw new SpiffeError('not_configured', `It is not known where ${to} listens.`, {
        next: 'Pass { address: { host, port } }, or { resolve } to the identity.',
      })
    const channel = new SecureChannel(await this.x509Source(), to, { ...options, address })
    try {
      this.#checkOpen()
      await channel.connect()
      this.#checkOpen()
    } catch (error) {
      channel.close()
      throw error
    }
    this.#channels.add(channel)
    return channel
  }

  /** Serves requests of other agents. */
  async listen(options: ListenOptions): Promise<Listener> {
    const listener = await listen(await this.x509Source(), options)
    this.#listeners.add(listener)
    if (this.#closing.signal.aborted) await listener.close({ grace: 0 })
    this.#checkOpen()
    return listener
  }

  /** A mutual TLS connection for a protocol of your own. */
  async connect(options: ConnectOptions): Promise<TLSSocket> {
    return connect(await this.x509Source(), options)
  }

  /** For `https.request(url, { agent })`. */
  async httpsAgent(options: AgentOptions): Promise<https.Agent> {
    return httpsAgent(await this.x509Source(), options)
  }

  /** For `new undici.Agent({ connect })`, and so for `fetch(url, { dispatcher })`. */
  async undiciConnector(options: { authorize: Authorizer }): Promise<Connector> {
    return undiciConnector(await this.x509Source(), options)
  }

  /** A dispatcher, made with your own undici: `identity.dispatcher(undici.Agent, { authorize })`. */
  async dispatcher<Dispatcher>(
    Agent: new (options: { connect: Connector }) => Dispatcher,
    options: { authorize: Authorizer },
  ): Promise<Dispatcher> {
    return new Agent({ connect: await this.undiciConnector(options) })
  }

  /** For `new grpc.Client(address, credentials)`. */
  async grpcCredentials(options: { authorize: Authorizer }): Promise<ChannelCredentials> {
    return grpcCredentials(await this.x509Source(), options)
  }

  /** Ends channels, listeners and sources. Calls that wait reject with `closed`. Nothing keeps the process alive. */
  async close(): Promise<void> {
    this.#closing.abort(new SpiffeError('closed', 'This identity is closed.'))
    for (const channel of this.#channels) channel.close()
    await Promise.all([...this.#listeners].map((listener) => listener.close()))
    for (const opening of [this.#x509, this.#jwt])
      await opening?.then(
        (source) => source.close(),
        () => {},
      )
    this.#client?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #addressOf(id: SpiffeId): Promise<Address | undefined> {
    const limits = {
      signals: [this.#closing.signal],
      timeout: RESOLVE_TIMEOUT,
      late: 'Finding the address took too long.',
    }
    return waitFor(Promise.resolve(this.#options.resolve?.(id)), limits)
  }

  async #open<S>(open: (options: SourceOptions) => Promise<S>): Promise<S> {
    this.#checkOpen()
    this.#client ??= new WorkloadApiClient(this.#options)
    try {
      return await open({ client: this.#client, signal: this.#closing.signal, timeout: this.#options.timeout })
    } catch (error) {
      this.#checkOpen()
      throw error
    }
  }

  #checkOpen() {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
  }
}
