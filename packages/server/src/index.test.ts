import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the entries export these names', async () => {
  const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const names: Record<string, string> = {}
  for (const [entry, file] of Object.entries<string>(exports)) {
    names[entry] = Object.keys(await import(new URL(`../${file}`, import.meta.url).href))
      .sort()
      .join(' ')
  }
  expect(names).toMatchInlineSnapshot(`
    {
      ".": "AgentContext AgentToken ApprovalRequired AuthorizationRequired GuardError NotAllowed ServiceCredentials clientsFromEnv createAccountFetch createBroker createGuardedFetch createRedactor currentIdentities getIdentity getIdentityEnv isPublicAddress offerAccounts orAsk providersFromEnv requireIdentity secretsOf toolApproval withAccount withIdentities",
      "./code-mode": "createCodeMode",
      "./mcp": "AuthenticatedMcpClient McpCommand createMcpProxy mcpForVault resolveMcpServers",
      "./postgres": "migratePostgres postgresStore",
      "./skills": "Skill",
      "./sqlite": "sqliteStore",
      "./testing": "storeContract",
      "./vault": "createVault keysFromEnv localKeys memoryStore vaultFromEnv verifyWebhook",
      "./webauthn": "passkeyConfirm",
    }
  `)
})

it('the root names no sandbox, database driver, child process or MCP SDK, not even by a type', () => {
  const outside = new Set<string>()
  const files = new Set<string>()
  const visit = (file: URL) => {
    if (files.has(file.href)) return
    files.add(file.href)
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s[^'"]*?from '(.+?)'/gms)) {
      if (path.startsWith('.')) visit(new URL(path, file))
      else outside.add(path)
    }
  }
  visit(new URL('./index.ts', import.meta.url))
  expect(outside).toContain('hono')
  expect([...outside].sort()).not.toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^(quickjs.*|pg|node:sqlite|node:worker_threads|node:child_process|@simplewebauthn\/.*|@modelcontextprotocol\/.*)$/,
      ),
    ]),
  )
})
