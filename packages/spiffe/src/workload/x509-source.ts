import type { Bundle, BundleProvider, BundleSet } from '../bundles/bundle.ts'
import { SpiffeError } from '../ids/errors.ts'
import type { X509Svid } from '../x509/svid.ts'
import type { X509Context } from './client.ts'
import { opened, Source, type SourceOptions } from './source.ts'

export interface X509SourceOptions extends SourceOptions {
  /** Which identity to use when there are several, by hint or by id. Default: the first. */
  picker?: (svids: readonly X509Svid[]) => X509Svid | undefined
}

/** Whoever can say who this workload is right now, and tells of changes by `updated`: an {@link X509Source}. */
export interface X509Provider extends BundleProvider {
  /** The present SVID; throws when there is none. */
  readonly svid: X509Svid
  addEventListener(type: 'updated', listener: () => void): void
  removeEventListener(type: 'updated', listener: () => void): void
}

/** This workload's X509-SVIDs and X.509 bundles, as the Workload API last told them. */
export class X509Source extends Source implements X509Provider {
  readonly #picker: (svids: readonly X509Svid[]) => X509Svid | undefined
  #context: X509Context | undefined
  #withdrawn: SpiffeError | undefined

  private constructor({ picker = ([first]) => first, ...options }: X509SourceOptions) {
    super(options)
    this.#picker = picker
    this.keep(
      this.client.watchX509Context(
        {
          onUpdate: (context) => {
            this.#context = context
            this.#withdrawn = undefined
            this.updated()
          },
          onError: (error) => {
            // The agent says that this workload is nobody (any more): what it had must not be used on.
            if (error.code === 'permission_denied' && this.#context) {
              this.#context = undefined
              this.#withdrawn = error
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
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    const source = new X509Source(options)
    return opened(source, () => source.#context !== undefined, options.signal)
  }

  /** The X509-SVID in use: the picker's choice, else the first. */
  get svid(): X509Svid {
    const svid = this.#picker(this.svids)
    if (!svid) throw new SpiffeError('not_configured', 'The picker chose none of the identities.')
    return svid
  }

  get svids(): readonly X509Svid[] {
    return this.#present().svids
  }

  /** The identity with this hint: of several, the first. */
  withHint(hint: string): X509Svid | undefined {
    return this.svids.find((svid) => svid.hint === hint)
  }

  get bundles(): BundleSet {
    return this.#present().bundles
  }

  /** A trust domain that the last update left out is unknown from then on. */
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
