import { expect, test } from 'vitest'
import * as surface from './index.ts'
import * as testing from './testing.ts'

test('the public names', () => {
  expect(Object.keys(surface).sort()).toMatchInlineSnapshot(`
    [
      "Account",
      "AccountCard",
      "AccountsMenu",
      "AddMcpServer",
      "ApiKeyForm",
      "ConnectButton",
      "ConnectPrompt",
      "ConnectedAccounts",
      "ConsentDialog",
      "LatchkeyProvider",
      "Registrations",
      "useAccount",
      "useAccounts",
      "useAgentAccounts",
      "useConnect",
      "useConsent",
      "useDisconnect",
      "useIdentities",
      "useLatchkey",
      "usePendingRequests",
      "useToken",
    ]
  `)
  expect(Object.keys(surface.Account).sort()).toMatchInlineSnapshot(`
    [
      "Connect",
      "Disconnect",
      "Expiry",
      "Icon",
      "Identity",
      "Name",
      "Reconnect",
      "Root",
      "Scopes",
      "Status",
    ]
  `)
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "createFakeClient",
      "fakeAccount",
    ]
  `)
})
