// The protocol without accounts: for servers and tests.
export { BROKER_HEADER, brokered, callBroker } from './protocol/broker.ts'
export { fetchProfile, keyAuthorization, type Profile, type Verification, verifyKey } from './protocol/profile.ts'
export * from './protocol/token-endpoint.ts'
