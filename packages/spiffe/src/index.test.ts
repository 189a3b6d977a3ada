import { expect, it } from 'vitest'
import * as grpc from './grpc.ts'
import * as api from './index.ts'
import * as testing from './testing/index.ts'
import * as tls from './tls.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "Bundle",
      "BundleSet",
      "BundleSource",
      "ENDPOINT_VARIABLE",
      "FederatedBundle",
      "JwtSource",
      "JwtSvid",
      "SecureChannel",
      "SourceErrorEvent",
      "SpiffeError",
      "SpiffeId",
      "SpiffeIdentity",
      "WorkloadApiClient",
      "X509Source",
      "X509Svid",
      "authorizeAny",
      "authorizeId",
      "authorizeMemberOf",
      "authorizeOneOf",
      "bundleHandler",
      "fetchBundle",
      "firstOf",
      "idFromCertificate",
      "linearBackoff",
      "parseEndpoint",
      "parseTrustDomain",
      "readCertificate",
      "readCertificates",
      "readJwtSvid",
      "readPem",
      "serveBundle",
      "verifyJwtSvid",
      "verifyX509Svid",
    ]
  `)
  expect(Object.keys(tls).sort()).toMatchInlineSnapshot(`
    [
      "connect",
      "createServer",
      "httpsAgent",
      "listen",
      "peerOf",
      "tlsOptions",
      "undiciConnector",
    ]
  `)
  expect(Object.keys(grpc).sort()).toMatchInlineSnapshot(`
    [
      "grpcCredentials",
      "serveGrpc",
    ]
  `)
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "FakeCa",
      "FakeWorkloadApi",
      "encodeX509SvidResponse",
    ]
  `)
})
