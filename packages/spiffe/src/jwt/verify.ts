import type { KeyObject } from 'node:crypto'
import { jwtVerify } from 'jose'
import { SpiffeError } from '../ids/errors.ts'
import { ALGORITHMS, invalid, JwtSvid, parseJwtSvid } from './svid.ts'

/** Options of {@link verifyJwtSvid}. */
export interface VerifyJwtOptions {
  /**
   * The time to judge by, in milliseconds since the epoch.
   *
   * @default Date.now()
   */
  now?: number
}

/** The JWT keys of each trust domain by key id, such as a `BundleSet` or a source has them. */
export interface JwtAuthorities {
  getBundle(trustDomain: string): { readonly jwtAuthorities: ReadonlyMap<string, KeyObject> } | undefined
}

/**
 * Verifies a token: it is signed by a key of the trust domain of its own `sub`, and one of the audiences is in its `aud`.
 *
 * @param audience this workload's names; one of them must be in `aud`.
 * @throws {@link SpiffeError} `invalid_token`, or `untrusted` if the trust domain or the key is not known
 * @see JWT-SVID §3, §4
 */
export async function verifyJwtSvid(
  token: string,
  bundles: JwtAuthorities,
  audience: string | readonly string[],
  { now = Date.now() }: VerifyJwtOptions = {},
): Promise<JwtSvid> {
  const { id, kid } = parseJwtSvid(token, audience, now)
  if (kid === undefined) throw invalid('It names no key.')
  const bundle = bundles.getBundle(id.trustDomain)
  if (!bundle) throw new SpiffeError('untrusted', `No bundle of the trust domain ${id.trustDomain} is known.`)
  const key = bundle.jwtAuthorities.get(kid)
  if (!key) throw new SpiffeError('untrusted', 'The key of this token is not one of its trust domain.')
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ALGORITHMS, currentDate: new Date(now) })
    return new JwtSvid(token, id, payload)
  } catch (cause) {
    // jose's errors carry the claims, so only the error's name is kept.
    throw new SpiffeError('invalid_token', 'This is not a JWT-SVID. Its signature or its times do not hold.', {
      cause: new Error((cause as Error).name),
    })
  }
}
