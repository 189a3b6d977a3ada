import { expect, it } from 'vitest'
import * as api from './index.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "AuthenticatedMcpClient",
      "AuthorizationRequired",
      "GuardError",
      "bindIdentities",
      "createBroker",
      "createGuardedFetch",
      "createMcpProxy",
      "currentIdentities",
      "getIdentity",
      "getIdentityEnv",
      "isPublicAddress",
      "requireIdentity",
      "takeIdentities",
      "withIdentities",
    ]
  `)
})
