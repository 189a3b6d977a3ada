import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as surface from './index.ts'
import { VARIABLES } from './parts/layer.tsx'
import * as testing from './testing.ts'

test('the public names', () => {
  expect(Object.keys(surface).sort()).toMatchInlineSnapshot(`
    [
      "Account",
      "AccountCard",
      "AccountDetails",
      "AccountSwitcher",
      "AccountsMenu",
      "AddMcpServer",
      "ApiKeyForm",
      "ConnectButton",
      "ConnectPrompt",
      "ConnectedAccounts",
      "ConsentDialog",
      "DifferentAccountDialog",
      "DisconnectDialog",
      "ExpiryLabel",
      "ForeignPrompt",
      "LatchkeyProvider",
      "Registrations",
      "StatusBadge",
      "errorSentence",
      "useAccount",
      "useAccounts",
      "useAgentAccounts",
      "useConnect",
      "useConsent",
      "useDisconnect",
      "useIdentities",
      "useLatchkey",
      "useMcpServers",
      "useMessages",
      "usePendingRequests",
      "useToken",
    ]
  `)
  expect(Object.keys(surface.Account).sort()).toMatchInlineSnapshot(`
    [
      "Avatar",
      "Connect",
      "Disconnect",
      "Expiry",
      "Icon",
      "Identity",
      "Name",
      "Option",
      "RawScopes",
      "Reason",
      "Reconnect",
      "Root",
      "Scopes",
      "Since",
      "Status",
      "Switcher",
    ]
  `)
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "createFakeClient",
      "fakeAccount",
    ]
  `)
})

test('M4: dialogs and menus are given every variable of the style sheet', () => {
  const css = readFileSync(new URL('styles.css', import.meta.url), 'utf8')
  const set = css.slice(0, css.indexOf('\n  .latchkey {')).matchAll(/(--latchkey-[\w-]+):/g)
  expect([...VARIABLES].sort()).toEqual([...new Set([...set].map(([, name]) => name))].sort())
})
