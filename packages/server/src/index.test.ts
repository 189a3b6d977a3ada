import { expect, it } from 'vitest'
import * as api from './index.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "AuthorizationRequired",
      "bindIdentities",
      "clientsFromEnv",
      "createBroker",
      "createVault",
      "currentIdentities",
      "getIdentity",
      "getIdentityEnv",
      "keysFromEnv",
      "localKeys",
      "memoryStore",
      "migratePostgres",
      "parseConnectedAccounts",
      "postgresStore",
      "providersFromEnv",
      "requireIdentity",
      "sqliteStore",
      "takeConnectedAccounts",
      "takeIdentities",
      "vaultFromEnv",
      "verifyWebhook",
      "withIdentities",
    ]
  `)
})
