// @latchkey/spiffe/tls: connections and servers over any source, for protocols and clients of your own.
export { listen } from './channel/listener.ts'
export { type AgentOptions, type Connector, httpsAgent, tlsOptions, undiciConnector } from './tls/agents.ts'
export { type ConnectOptions, connect } from './tls/connect.ts'
export { peerOf } from './tls/peer.ts'
export { createServer, type ServerOptions, type SvidServer } from './tls/server.ts'
