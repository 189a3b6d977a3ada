// The public surface of @latchkey/spiffe: named exports only, by hand.
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
export { type IncomingRequest, type Listener, type ListenOptions, listen } from './channel/listener.ts'
export { type GrpcServing, grpcCredentials, serveGrpc } from './grpc/grpc.ts'
export { SpiffeIdentity, type SpiffeIdentityOptions } from './identity.ts'
export { SpiffeError, type SpiffeErrorCode, type SpiffeErrorOptions } from './ids/errors.ts'
export {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  parseTrustDomain,
  SpiffeId,
} from './ids/spiffe-id.ts'
export { JwtSvid, readJwtSvid, type VerifyJwtOptions, verifyJwtSvid } from './jwt/svid.ts'
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
} from './tls/tls.ts'
export { BundleSource } from './workload/bundle-source.ts'
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
export { type GetJwtSvidOptions, JwtSource, type JwtSourceOptions } from './workload/jwt-source.ts'
export { Source, SourceErrorEvent, type SourceOptions, Updating } from './workload/source.ts'
export { type X509Provider, X509Source, type X509SourceOptions } from './workload/x509-source.ts'
export {
  type Certificate,
  type CertificateKeyUsage,
  readCertificate,
  readCertificates,
  readPem,
} from './x509/certificate.ts'
export { idFromCertificate, type VerifiedX509Svid, type VerifyOptions, verifyX509Svid, X509Svid } from './x509/svid.ts'
