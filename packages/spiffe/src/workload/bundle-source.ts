import { Bundle, type BundleProvider, BundleSet } from '../bundles/bundle.ts'
import type { SpiffeError } from '../ids/errors.ts'
import { opened, Source, type SourceOptions } from './source.ts'

/** X.509 and JWT bundles, for whoever checks others and needs no identity of its own. */
export class BundleSource extends Source implements BundleProvider {
  #x509: BundleSet | undefined
  #jwt: BundleSet | undefined

  private constructor(options: SourceOptions) {
    super(options)
    const onError = (error: SpiffeError) => {
      // Who is nobody here has no say in whom to trust either: the last word may be long out of date.
      if (error.code === 'permission_denied' && (this.#x509 || this.#jwt)) {
        this.#x509 = undefined
        this.#jwt = undefined
        this.updated()
      }
      this.failed(error)
    }
    this.keep(
      this.client.watchX509Bundles(
        {
          onUpdate: (bundles) => {
            this.#x509 = bundles
            this.updated()
          },
          onError,
        },
        this.closing,
      ),
    )
    this.keep(
      this.client.watchJwtBundles(
        {
          onUpdate: (bundles) => {
            this.#jwt = bundles
            this.updated()
          },
          onError,
        },
        this.closing,
      ),
    )
  }

  /** Opens a source. Resolves once both kinds of bundle have come. */
  static async open(options: SourceOptions = {}): Promise<BundleSource> {
    const source = new BundleSource(options)
    return opened(source, () => source.#x509 !== undefined && source.#jwt !== undefined, options.signal)
  }

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
