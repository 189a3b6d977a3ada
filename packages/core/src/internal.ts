// What @latchkey/react and @latchkey/server need of this package and an app does not. It may change in any release.

export { bindingChange, pausedStatus } from './accounts/account-rules.ts'
export { labelsPerson } from './accounts/person.ts'
export { withPreset } from './agents/presets.ts'
export { BY_FREEDOM, isAbout } from './agents/rules.ts'
export { lineOf, rulesOf, verdictFor, withAgent } from './agents/standing.ts'
export { createRequests } from './connect/pending-requests.ts'
export { isPageOf } from './identities.ts'
export { includedAccounts, includedDefault } from './included.ts'
export { envName, keyScheme, readKeyFile } from './provider.ts'
export { createAccounts, LOADING, withProvider } from './snapshot.ts'
export { safeUrl } from './urls.ts'
