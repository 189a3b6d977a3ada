import { parseTrustDomain, SpiffeId } from './spiffe-id.ts'

/** Decides whether a peer may connect. It is asked after the peer's certificate has been verified. */
export type Authorizer = (id: SpiffeId) => boolean

/** Accepts every workload of every trust domain whose bundle is known. */
export function authorizeAny(): Authorizer {
  return () => true
}

/**
 * Accepts one workload.
 *
 * @throws {@link SpiffeError} `invalid_id`
 */
export function authorizeId(id: SpiffeId | string): Authorizer {
  return authorizeOneOf(id)
}

/**
 * Accepts these workloads; none, if the list is empty.
 *
 * @throws {@link SpiffeError} `invalid_id`
 */
export function authorizeOneOf(...ids: readonly (SpiffeId | string)[]): Authorizer {
  const allowed = new Set(ids.map((id) => SpiffeId.from(id).toString()))
  return (id) => allowed.has(id.toString())
}

/**
 * Accepts every workload of this trust domain.
 *
 * @throws {@link SpiffeError} `invalid_id`
 */
export function authorizeMemberOf(trustDomain: string): Authorizer {
  const name = parseTrustDomain(trustDomain)
  return (id) => id.trustDomain === name
}
