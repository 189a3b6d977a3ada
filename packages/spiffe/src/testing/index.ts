// For tests of whoever uses @latchkey/spiffe: a Workload API and certificate authorities in this process.

export {
  type JwtSvidMessage,
  type JwtSvidRequest,
  type ValidateJwtSvidRequest,
  type X509SvidMessage,
  type X509SvidResponse,
  x509SvidResponse,
} from '../workload/messages.ts'
export { FakeCa, type IssueOptions, type JwtOptions } from './fake-ca.ts'
export { type FakeCall, FakeWorkloadApi, type FakeWorkloadApiOptions } from './fake-workload-api.ts'
