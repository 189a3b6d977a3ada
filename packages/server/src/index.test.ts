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
      "createBroker",
      "createCodeMode",
      "createEgress",
      "createRedactor",
      "currentIdentities",
      "getIdentity",
      "getIdentityEnv",
      "requireIdentity",
      "resolveMcpServers",
      "secretsOf",
      "takeIdentities",
      "withAccount",
      "withIdentities",
    ]
  `)
})
