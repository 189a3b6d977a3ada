import { expect, it } from 'vitest'
import * as api from './index.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "AgentContext",
      "AgentToken",
      "AuthenticatedMcpClient",
      "AuthorizationRequired",
      "GuardError",
      "McpCommand",
      "ServiceCredentials",
      "Skill",
      "bindIdentities",
      "clientsFromEnv",
      "createAccountFetch",
      "createBroker",
      "createCodeMode",
      "createGuardedFetch",
      "createMcpProxy",
      "createRedactor",
      "createVault",
      "currentIdentities",
      "getIdentity",
      "getIdentityEnv",
      "isPublicAddress",
      "keysFromEnv",
      "localKeys",
      "mcpForVault",
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
