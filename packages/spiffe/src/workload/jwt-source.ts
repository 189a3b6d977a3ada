import type { Bundle, BundleProvider, BundleSet } from '../bundles/bundle.ts'
import { cancelled, SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'
import { type JwtSvid, verifyJwtSvid } from '../jwt/svid.ts'
import { opened, Source, type SourceOptions } from './source.ts'

export interface JwtSourceOptions extends SourceOptions {
  /** Which identity's token to use when there are several. Default: the first. */
  picker?: (svids: readonly JwtSvid[]) => JwtSvid | undefined
}

export interface GetJwtSvidOptions {
  /** Which of the workload's identities. Default: the agent's first. */
  subject?: SpiffeId | string | undefined
  signal?: AbortSignal | undefined
}

/** Audiences come from callers, so how many tokens are kept has an end. */
const MAX_KEPT = 256

/** JWT-SVIDs for this workload, and the JWT bundles to check those of others. */
export class JwtSource extends Source implements BundleProvider {
  readonly #picker: (svids: readonly JwtSvid[]) => JwtSvid | undefined
  readonly #kept = new Map<string, { svid: JwtSvid; refreshAt: number }>()
  readonly #fetching = new Map<string, Promise<JwtSvid>>()
  #bundles: BundleSet | undefined

  private constructor({ picker = ([first]) => first, ...options }: JwtSourceOptions) {
    super(options)
    this.#picker = picker
    this.keep(
      this.client.watchJwtBundles(
        {
          onUpdate: (bundles) => {
            this.#bundles = bundles
            this.updated()
          },
          onError: (error) => {
            if (error.code === 'permission_denied') {
              this.#bundles = undefined
              this.#kept.clear()
              this.updated()
            }
            this.failed(error)
          },
        },
        this.closing,
      ),
    )
  }

  /** Opens a source. Resolves with its first update. */
  static async open(options: JwtSourceOptions = {}): Promise<JwtSource> {
    const source = new JwtSource(options)
    return opened(source, () => source.#bundles !== undefined, options.signal)
  }

  /**
   * A JWT-SVID for one audience. Tokens are kept by identity and audience, never shared between audiences, whose servers
   * could otherwise use them on each other (JWT-SVID §7.2). A new one is fetched once half of the old one's life is over;
   * while that fails, the old one serves as long as it is valid.
   */
  async getJwtSvid(audience: string, { subject, signal }: GetJwtSvidOptions = {}): Promise<JwtSvid> {
    this.checkOpen()
    if (typeof audience !== 'string' || audience === '')
      throw new SpiffeError('misuse', 'A JWT-SVID is made for one audience, and none is given.')
    const id = subject === undefined ? '' : SpiffeId.from(subject).toString()
    const key = JSON.stringify([id, audience])
    const now = Date.now()
    const kept = this.#kept.get(key)
    if (kept && now < kept.refreshAt) return kept.svid
    const fetching = this.#fetching.get(key) ?? this.#fetch(key, audience, id)
    try {
      return await (signal ? raced(fetching, signal) : fetching)
    } catch (error) {
      const code = error instanceof SpiffeError ? error.code : undefined
      if (kept && (code === 'unavailable' || code === 'timeout') && now < kept.svid.expiresAt) return kept.svid
      throw error
    }
  }

  getBundle(trustDomain: string): Bundle | undefined {
    this.checkOpen()
    return this.#bundles?.getBundle(trustDomain)
  }

  /** Checks a caller's token against the bundles here. */
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
      .fetchJwtSvids({ audience, subject: subject === '' ? undefined : subject })
      .then((svids) => {
        this.checkOpen()
        const svid = this.#picker(svids)
        if (!svid) throw new SpiffeError('not_configured', 'The picker chose none of the identities.')
        if (this.#kept.size >= MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value as string)
        const from = Date.now()
        this.#kept.set(key, { svid, refreshAt: from + (svid.expiresAt - from) / 2 })
        return svid
      })
      .catch((error) => {
        if (error instanceof SpiffeError && error.code === 'permission_denied') this.#kept.delete(key)
        throw error
      })
      .finally(() => this.#fetching.delete(key))
    this.#fetching.set(key, fetching)
    return fetching
  }
}

/** One caller's patience must not end a fetch that others wait for. */
function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled(signal))
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
    if (signal.aborted) stop()
  })
}
