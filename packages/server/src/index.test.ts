import { expect, it } from 'vitest'
import * as api from './index.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "AgentContext",
      "AgentToken",
      "AuthorizationRequired",
      "ServiceCredentials",
      "Skill",
      "bindIdentities",
      "clientsFromEnv",
      "createBroker",
      "createCodeMode",
      "createEgress",
      "createRedactor",
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
      "resolveMcpServers",
      "secretsOf",
      "sqliteStore",
      "takeConnectedAccounts",
      "takeIdentities",
      "vaultFromEnv",
      "verifyWebhook",
      "withAccount",
      "withIdentities",
    ]
  `)
})
