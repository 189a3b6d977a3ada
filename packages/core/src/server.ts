// What a server needs to run the authorization of a person itself: for @latchkey/server, not for pages.
export * from './accounts/account-rules.ts'
export { authorizationRequest, authorizationResponse, type Flow } from './connect/authorization.ts'
export { boundMcp } from './mcp/accounts.ts'
export { selectScopes } from './mcp/discovery.ts'
export { challengeOf } from './mcp/handshake.ts'
export { codeFromServer } from './protocol/error-codes.ts'
export { isObject, parseObject, readBounded } from './protocol/http.ts'
export { parseScope } from './provider.ts'
