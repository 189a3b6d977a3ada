// For tests of code that uses @latchkey/spiffe: a Workload API and certificate authorities in this process.

export type {
  JwtSvidMessage,
  JwtSvidRequest,
  ValidateJwtSvidRequest,
  X509SvidMessage,
  X509SvidResponse,
} from '../workload/messages.ts'
export { FakeCa, type IssueOptions, type JwtOptions } from './fake-ca.ts'
export { type FakeCall, FakeWorkloadApi, type FakeWorkloadApiOptions } from './fake-workload-api.ts'
export { encodeX509SvidResponse } from './messages.ts'
