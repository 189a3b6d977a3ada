// The public surface of @latchkey/server: named exports only, by hand.
export { type Broker, type BrokerClient, type BrokerOptions, createBroker } from './broker.ts'
export {
  AuthorizationRequired,
  bindIdentities,
  currentIdentities,
  getIdentity,
  getIdentityEnv,
  type IdentityEnvOptions,
  type RequireOptions,
  requireIdentity,
  takeIdentities,
  withIdentities,
} from './identities.ts'
