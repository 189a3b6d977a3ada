// The public surface of @latchkey/spiffe: named exports only, by hand. It loads gRPC, which the Workload API speaks. TLS
// without channels is in ./tls.ts, gRPC between agents in ./grpc.ts.
export { Bundle, type BundleContents, type BundleProvider, BundleSet, firstOf } from './bundles/bundle.ts'
export {
  bundleHandler,
  type EndpointProfile,
  FederatedBundle,
  type FetchBundleOptions,
  fetchBundle,
  type ServeBundleOptions,
  serveBundle,
  type WatchBundleOptions,
} from './bundles/federation.ts'
export {
  type Address,
  type AgentRequest,
  type ChannelOptions,
  type RequestOptions,
  SecureChannel,
} from './channel/channel.ts'
export type { IncomingRequest, Listener, ListenOptions } from './channel/listener.ts'
export { SpiffeIdentity, type SpiffeIdentityOptions } from './identity.ts'
export {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
} from './ids/authorize.ts'
export { SpiffeError, type SpiffeErrorCode, type SpiffeErrorOptions } from './ids/errors.ts'
export { parseTrustDomain, SpiffeId } from './ids/spiffe-id.ts'
export { JwtSvid, readJwtSvid } from './jwt/svid.ts'
export { type JwtAuthorities, type VerifyJwtOptions, verifyJwtSvid } from './jwt/verify.ts'
export type { Peer } from './tls/peer.ts'
export {
  type Backoff,
  type JwtSvidParams,
  linearBackoff,
  type Watcher,
  WorkloadApiClient,
  type WorkloadApiOptions,
  type X509Context,
} from './workload/client.ts'
export { ENDPOINT_VARIABLE, parseEndpoint } from './workload/endpoint.ts'
export {
  BundleSource,
  type GetJwtSvidOptions,
  JwtSource,
  type JwtSourceOptions,
  type SourceOptions,
  type X509Provider,
  X509Source,
  type X509SourceOptions,
} from './workload/sources.ts'
export { SourceErrorEvent } from './workload/updating.ts'
export {
  type Certificate,
  type CertificateKeyUsage,
  readCertificate,
  readCertificates,
  readPem,
} from './x509/certificate.ts'
export {
  idFromCertificate,
  type VerifiedX509Svid,
  type VerifyOptions,
  verifyX509Svid,
  type X509Authorities,
  X509Svid,
} from './x509/svid.ts'
