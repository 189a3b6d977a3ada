// What a server needs to run the authorization of a person itself: for @latchkey/server, not for pages.
export * from './accounts/account-rules.ts'
export * from './accounts/retry-rules.ts'
export { holds } from './agents/conditions.ts'
export { withPreset } from './agents/presets.ts'
export { readAnswer, readRuleChange, readStopTarget } from './agents/read-answers.ts'
export { readAgentRules, readPersonRules } from './agents/read-rules.ts'
export {
  type AgentRules,
  type Because,
  type Conditions,
  type Decision,
  decide,
  type Effect,
  type Preset,
  presetFor,
  type Rule,
  type RuledCall,
  type Verdict,
} from './agents/rules.ts'
export { type AgentLine, lineOf, rulesOf, verdictFor, withAgent } from './agents/standing.ts'
export { authorizationRequest, authorizationResponse, type Flow } from './connect/authorization.ts'
export { asLatchkeyError } from './errors.ts'
export { readIdentity } from './identities.ts'
export { isObject, parseObject } from './json.ts'
export { boundMcp } from './mcp/accounts.ts'
export { selectScopes } from './mcp/discovery.ts'
export { challengeOf } from './mcp/handshake.ts'
export { cleanText } from './names.ts'
export { once } from './once.ts'
export { lenientFetch } from './protocol/answers.ts'
export { askDocument, firstOf, metadataOf, metadataUrls } from './protocol/discovery.ts'
export { codeFromServer } from './protocol/error-codes.ts'
export { failure, limited, malformed, readBounded } from './protocol/http.ts'
export { parseScope } from './provider.ts'
export { safeUrl } from './urls.ts'
