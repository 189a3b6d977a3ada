import { Bundle, type BundleProvider, BundleSet } from '../bundles/bundle.ts'
import { waitFor } from '../ids/deadline.ts'
import { SpiffeError, type SpiffeErrorCode } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'
import type { JwtSvid } from '../jwt/svid.ts'
import { verifyJwtSvid } from '../jwt/verify.ts'
import type { X509Svid } from '../x509/svid.ts'
import { type Watcher, WorkloadApiClient, type WorkloadApiOptions, type X509Context } from './client.ts'
import { opened, Updating } from './updating.ts'

/** How to open a source. */
export interface SourceOptions extends WorkloadApiOptions {
  /**
   * A client to share. The source does not close it.
   *
   * @default a client of its own, made from the other options
   */
  client?: WorkloadApiClient
  /** Stops waiting for the first update. */
  signal?: AbortSignal
}

/** State that the Workload API keeps up to date. */
abstract class Source extends Updating {
  readonly client: WorkloadApiClient
  readonly #ownsClient: boolean

  constructor({ client, ...options }: SourceOptions) {
    super()
    this.client = client ?? new WorkloadApiClient(options)
    this.#ownsClient = client === undefined
  }

  override close(): void {
    if (this.closed) return
    super.close()
    if (this.#ownsClient) this.client.close()
  }

  /**
   * Follows a watch. `withdraw` forgets the state after the agent denied the workload an identity, because the last state may
   * be long out of date; it returns whether there was one.
   */
  protected follow<State>(
    watch: (watcher: Watcher<State>, signal: AbortSignal) => Promise<never>,
    take: (state: State) => void,
    withdraw: (error: SpiffeError) => boolean,
  ): void {
    const watcher: Watcher<State> = {
      onUpdate: (state) => {
        take(state)
        this.updated()
      },
      onError: (error) => {
        if (error.code === 'permission_denied' && withdraw(error)) this.updated()
        this.failed(error)
      },
    }
    this.keep(watch.call(this.client, watcher, this.closing))
  }
}

/** Options of {@link X509Source.open}. */
export interface X509SourceOptions extends SourceOptions {
  /**
   * Chooses the identity when there are several, such as by hint or by ID.
   *
   * @default the first
   */
  picker?: (svids: readonly X509Svid[]) => X509Svid | undefined
}

/** This workload's identity and bundles, with an `updated` event after each change, as {@link X509Source} has them. */
export interface X509Provider extends BundleProvider {
  /** The SVID in use. @throws {@link SpiffeError} if there is none */
  readonly svid: X509Svid
  addEventListener(type: 'updated', listener: () => void): void
  removeEventListener(type: 'updated', listener: () => void): void
}

/** This workload's X509-SVIDs and X.509 bundles, kept up to date by the Workload API. */
export class X509Source extends Source implements X509Provider {
  readonly #picker: (svids: readonly X509Svid[]) => X509Svid | undefined
  #context: X509Context | undefined
  #withdrawn: SpiffeError | undefined

  private constructor({ picker = ([first]) => first, ...options }: X509SourceOptions) {
    super(options)
    this.#picker = picker
    this.follow(
      this.client.watchX509Context,
      (context) => {
        this.#context = context
        this.#withdrawn = undefined
      },
      (error) => {
        const had = this.#context !== undefined
        this.#context = undefined
        this.#withdrawn = error
        return had
      },
    )
  }

  /**
   * Opens a source, and resolves with its first update.
   *
   * @throws {@link SpiffeError} `not_configured` or `invalid_address` for the address, `timeout` with the last
   * failure as its cause, `cancelled` when the signal aborts, or the error after which the source cannot go on
   */
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    const source = new X509Source(options)
    return opened(source, () => source.#context !== undefined, options)
  }

  /**
   * The SVID in use: the picker's choice, else the first.
   *
   * @throws {@link SpiffeError} `closed`, `permission_denied` after a withdrawal, `not_configured` if the picker chose none
   */
  get svid(): X509Svid {
    return picked(this.svids, this.#picker)
  }

  /** All SVIDs, the default one first. */
  get svids(): readonly X509Svid[] {
    return this.#present().svids
  }

  /** The first SVID with this hint. */
  withHint(hint: string): X509Svid | undefined {
    return this.svids.find((svid) => svid.hint === hint)
  }

  /** The bundles of all trust domains in the last update. */
  get bundles(): BundleSet {
    return this.#present().bundles
  }

  /** A trust domain that is missing from the last update is unknown. */
  getBundle(trustDomain: string): Bundle | undefined {
    this.checkOpen()
    return this.#context?.bundles.getBundle(trustDomain)
  }

  #present(): X509Context {
    this.checkOpen()
    if (this.#context) return this.#context
    throw this.#withdrawn ?? new SpiffeError('unavailable', 'The Workload API has not told an identity yet.')
  }
}

/** Options of {@link JwtSource.open}. */
export interface JwtSourceOptions extends SourceOptions {
  /**
   * Chooses the identity whose token is used when there are several.
   *
   * @default the first
   */
  picker?: (svids: readonly JwtSvid[]) => JwtSvid | undefined
}

/** Options of {@link JwtSource.getJwtSvid}. */
export interface GetJwtSvidOptions {
  /**
   * Which of the workload's identities.
   *
   * @default the agent's first
   */
  subject?: SpiffeId | string | undefined
  /** Stops waiting. */
  signal?: AbortSignal | undefined
}

/** Failures to fetch a token that say nothing about the one that is kept. */
const PASSING: ReadonlySet<unknown> = new Set<SpiffeErrorCode>([
  'unavailable',
  'timeout',
  'malformed_response',
  'invalid_token',
])

/** Audiences may come from requests, so the number of tokens kept is limited. */
const MAX_KEPT = 256

/** JWT-SVIDs for this workload, and the JWT bundles to verify those of others. */
export class JwtSource extends Source implements BundleProvider {
  readonly #picker: (svids: readonly JwtSvid[]) => JwtSvid | undefined
  readonly #kept = new Map<string, { svid: JwtSvid; refreshAt: number }>()
  readonly #fetching = new Map<string, Promise<JwtSvid>>()
  #bundles: BundleSet | undefined

  private constructor({ picker = ([first]) => first, ...options }: JwtSourceOptions) {
    super(options)
    this.#picker = picker
    this.follow(
      this.client.watchJwtBundles,
      (bundles) => {
        this.#bundles = bundles
      },
      () => {
        const had = this.#bundles !== undefined || this.#kept.size > 0
        this.#bundles = undefined
        this.#kept.clear()
        return had
      },
    )
  }

  /**
   * Opens a source, and resolves with its first update.
   *
   * @throws {@link SpiffeError} as {@link X509Source.open}
   */
  static async open(options: JwtSourceOptions = {}): Promise<JwtSource> {
    const source = new JwtSource(options)
    return opened(source, () => source.#bundles !== undefined, options)
  }

  /**
   * A JWT-SVID for one audience. Tokens are kept by identity and audience. They are never shared between audiences, because
   * one server could then use a token at another (JWT-SVID §7.2). A new token is fetched after half of the old one's life.
   * While that fails because the agent cannot be reached or its answer is not valid, the old token is used until it ends,
   * with an `error` event.
   *
   * @throws {@link SpiffeError} as `WorkloadApiClient.fetchJwtSvid`; `not_configured` if the picker chose none
   */
  async getJwtSvid(audience: string, { subject, signal }: GetJwtSvidOptions = {}): Promise<JwtSvid> {
    this.checkOpen()
    if (typeof audience !== 'string' || audience === '')
      throw new SpiffeError('misuse', 'A JWT-SVID is made for one audience, and none is given.')
    const id = subject === undefined ? '' : SpiffeId.from(subject).toString()
    const key = JSON.stringify([id, audience])
    const kept = this.#kept.get(key)
    if (kept && Date.now() < kept.refreshAt) return kept.svid
    const fetching = this.#fetching.get(key) ?? this.#fetch(key, audience, id)
    try {
      return await waitFor(fetching, { signals: [signal, this.closing] })
    } catch (error) {
      const svid = this.#kept.get(key)?.svid
      // The caller's signal timed out while a new token was fetched. The old one is still good.
      if (svid && (error as SpiffeError).code === 'timeout' && Date.now() < svid.expiresAt) return svid
      throw error
    }
  }

  getBundle(trustDomain: string): Bundle | undefined {
    this.checkOpen()
    return this.#bundles?.getBundle(trustDomain)
  }

  /**
   * Verifies a caller's token with the bundles of this source.
   *
   * @throws {@link SpiffeError} as `verifyJwtSvid`; `closed`
   */
  async verify(token: string, audience: string | readonly string[]): Promise<JwtSvid> {
    this.checkOpen()
    return verifyJwtSvid(token, this, audience)
  }

  override close(): void {
    this.#kept.clear()
    super.close()
  }

  #fetch(key: string, audience: string, subject: string): Promise<JwtSvid> {
    const fetching = this.client
      .fetchJwtSvids({ audience, subject: subject === '' ? undefined : subject }, this.closing)
      .then((svids) => this.#keep(key, picked(svids, this.#picker)))
      .catch((error) => {
        const svid = this.#kept.get(key)?.svid
        const { code } = error as SpiffeError
        if (code === 'permission_denied') this.#kept.delete(key)
        if (!svid || !PASSING.has(code) || Date.now() >= svid.expiresAt) throw error
        this.failed(error)
        return this.#keep(key, svid)
      })
      .finally(() => this.#fetching.delete(key))
    this.#fetching.set(key, fetching)
    return fetching
  }

  /** Keeps a token until half of the life that it has left is over. */
  #keep(key: string, svid: JwtSvid): JwtSvid {
    this.checkOpen()
    if (this.#kept.size >= MAX_KEPT && !this.#kept.has(key)) this.#kept.delete(this.#kept.keys().next().value as string)
    const now = Date.now()
    this.#kept.set(key, { svid, refreshAt: now + (svid.expiresAt - now) / 2 })
    return svid
  }
}

/** X.509 and JWT bundles, for a workload that verifies others and needs no identity of its own. */
export class BundleSource extends Source implements BundleProvider {
  #x509: BundleSet | undefined
  #jwt: BundleSet | undefined

  private constructor(options: SourceOptions) {
    super(options)
    const withdraw = () => {
      const had = this.#x509 !== undefined || this.#jwt !== undefined
      this.#x509 = undefined
      this.#jwt = undefined
      return had
    }
    this.follow(
      this.client.watchX509Bundles,
      (bundles) => {
        this.#x509 = bundles
      },
      withdraw,
    )
    this.follow(
      this.client.watchJwtBundles,
      (bundles) => {
        this.#jwt = bundles
      },
      withdraw,
    )
  }

  /**
   * Opens a source, and resolves after the first update of both kinds.
   *
   * @throws {@link SpiffeError} as {@link X509Source.open}
   */
  static async open(options: SourceOptions = {}): Promise<BundleSource> {
    const source = new BundleSource(options)
    return opened(source, () => source.#x509 !== undefined && source.#jwt !== undefined, options)
  }

  /** The bundles of all trust domains, each with its X.509 and JWT authorities. */
  get bundles(): BundleSet {
    this.checkOpen()
    const names = new Set([...(this.#x509?.trustDomains ?? []), ...(this.#jwt?.trustDomains ?? [])])
    return new BundleSet([...names].map((name) => this.getBundle(name) as Bundle))
  }

  getBundle(trustDomain: string): Bundle | undefined {
    this.checkOpen()
    const x509 = this.#x509?.getBundle(trustDomain)
    const jwt = this.#jwt?.getBundle(trustDomain)
    if (!x509 || !jwt) return x509 ?? jwt
    return new Bundle(trustDomain, { x509Authorities: x509.x509Authorities, jwtAuthorities: jwt.jwtAuthorities })
  }
}

function picked<Svid>(svids: readonly Svid[], picker: (svids: readonly Svid[]) => Svid | undefined): Svid {
  const svid = picker(svids)
  if (!svid) throw new SpiffeError('not_configured', 'The picker chose none of the identities.')
  return svid
}
