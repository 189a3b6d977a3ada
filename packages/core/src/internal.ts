// What @latchkey/react and @latchkey/server need of this package and an app does not. It may change in any release.
export { isPageOf } from './identities.ts'
export { envName, keyScheme, readKeyFile } from './provider.ts'
export { LOADING } from './snapshot.ts'
