// The public surface of @latchkey/spiffe: named exports only, by hand.
export { Bundle, type BundleContents, type BundleProvider, BundleSet, firstOf } from './bundle.ts'
export { BundleSource } from './bundle-source.ts'
export {
  type Certificate,
  type CertificateKeyUsage,
  readCertificate,
  readCertificates,
  readPem,
} from './certificate.ts'
export {
  type Address,
  type AgentRequest,
  type ChannelOptions,
  type RequestOptions,
  SecureChannel,
} from './channel.ts'
export { ENDPOINT_VARIABLE, parseEndpoint } from './endpoint.ts'
export { SpiffeError, type SpiffeErrorCode, type SpiffeErrorOptions } from './errors.ts'
export {
  bundleHandler,
  type EndpointProfile,
  FederatedBundle,
  type FetchBundleOptions,
  fetchBundle,
  type ServeBundleOptions,
  serveBundle,
  type WatchBundleOptions,
} from './federation.ts'
export { type GrpcServing, grpcCredentials, serveGrpc } from './grpc.ts'
export { SpiffeIdentity, type SpiffeIdentityOptions } from './identity.ts'
export { type GetJwtSvidOptions, JwtSource, type JwtSourceOptions } from './jwt-source.ts'
export { JwtSvid, readJwtSvid, type VerifyJwtOptions, verifyJwtSvid } from './jwt-svid.ts'
export { type IncomingRequest, type Listener, type ListenOptions, listen } from './listener.ts'
export { Source, SourceErrorEvent, type SourceOptions, Updating } from './source.ts'
export {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  parseTrustDomain,
  SpiffeId,
} from './spiffe-id.ts'
export {
  type AgentOptions,
  type ConnectOptions,
  type Connector,
  connect,
  createServer,
  httpsAgent,
  type Peer,
  peerOf,
  type ServerOptions,
  type SvidServer,
  tlsOptions,
  undiciConnector,
} from './tls.ts'
export {
  type Backoff,
  type JwtSvidParams,
  linearBackoff,
  type Watcher,
  WorkloadApiClient,
  type WorkloadApiOptions,
  type X509Context,
} from './workload-api.ts'
export { type X509Provider, X509Source, type X509SourceOptions } from './x509-source.ts'
export { idFromCertificate, type VerifiedX509Svid, type VerifyOptions, verifyX509Svid, X509Svid } from './x509-svid.ts'
