import https from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { Bundle } from '../bundles/bundle.ts'
import type { Authorizer } from '../ids/authorize.ts'
import { SpiffeError } from '../ids/errors.ts'
import type { X509Provider } from '../workload/sources.ts'
import { readCertificate, toPem } from '../x509/certificate.ts'
import { checkLeaf } from '../x509/svid.ts'
import { connect, keyMaterial } from './connect.ts'

/**
 * Options for `tls.connect`, `https.request` or `new https.Agent`, for servers of one trust domain. They have the present
 * SVID and bundle and do not follow rotation; {@link httpsAgent} does.
 *
 * @throws {@link SpiffeError} if the source has no SVID
 */
export function tlsOptions(
  source: X509Provider,
  { authorize, trustDomain }: { authorize: Authorizer; trustDomain?: string },
) {
  const { svid } = source
  const domain = trustDomain ?? svid.id.trustDomain
  const bundle = source.getBundle(domain) ?? new Bundle(domain)
  return {
    ...keyMaterial(svid),
    ca: [toPem(bundle.x509Authorities)],
    rejectUnauthorized: true,
    checkServerIdentity(_host: string, { raw }: { raw: Buffer }): Error | undefined {
      try {
        // OpenSSL has verified the path to this bundle's roots. The rules for the leaf remain.
        const id = checkLeaf(readCertificate(raw))
        if (id.trustDomain !== domain) throw new SpiffeError('untrusted', 'The server is of another trust domain.')
        return authorize(id) === true ? undefined : new SpiffeError('unauthorized', `The server is ${id}.`)
      } catch (error) {
        return error as Error
      }
    },
  }
}

/** Options of {@link httpsAgent}. */
export interface AgentOptions extends https.AgentOptions {
  /** Which servers to accept. */
  authorize: Authorizer
}

/** An `https.Agent` whose connections use the present SVID. Pooled connections are not reused after a rotation. */
export function httpsAgent(source: X509Provider, { authorize, ...options }: AgentOptions): https.Agent {
  return new SvidAgent(source, authorize, options)
}

class SvidAgent extends https.Agent {
  readonly #source: X509Provider
  readonly #authorize: Authorizer

  constructor(source: X509Provider, authorize: Authorizer, options: https.AgentOptions) {
    super({ keepAlive: true, ...options, maxCachedSessions: 0 })
    this.#source = source
    this.#authorize = authorize
  }

  override getName(options?: https.RequestOptions): string {
    let serial = 'none'
    try {
      serial = this.#source.svid.certificates[0]?.x509.fingerprint256 ?? serial
    } catch {
      // Without an identity, connecting fails with the reason.
    }
    return `${super.getName(options)}:${serial}`
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    connect(this.#source, {
      host: options.host ?? options.hostname ?? '127.0.0.1',
      port: Number(options.port ?? 443),
      authorize: this.#authorize,
    }).then(
      (socket) => callback?.(null, socket),
      (error) => callback?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
}

/** The function that undici takes as its `connect` option. */
export type Connector = (
  options: { hostname: string; port: string; protocol: string },
  callback: (...args: [error: null, socket: TLSSocket] | [error: Error, socket: null]) => void,
) => void

/** For `new undici.Agent({ connect: undiciConnector(source, { authorize }) })`. Each connection uses the present SVID. */
export function undiciConnector(source: X509Provider, { authorize }: { authorize: Authorizer }): Connector {
  return ({ hostname, port, protocol }, callback) => {
    if (protocol !== 'https:') {
      callback(new SpiffeError('misuse', 'An SVID proves nothing without TLS: the URL must be https.'), null)
      return
    }
    const host = hostname.replace(/^\[|\]$/g, '')
    connect(source, { host, port: Number(port || 443), authorize, alpn: ['http/1.1'] }).then(
      (socket) => callback(null, socket),
      (error) => callback(error, null),
    )
  }
}
