// @latchkey/spiffe/grpc: gRPC between workloads, with @grpc/grpc-js.
export { type GrpcServing, grpcCredentials, serveGrpc } from './grpc/credentials.ts'
