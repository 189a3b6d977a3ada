import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = new URL('../', import.meta.url)

/** An entry with a star is one for each file. */
function entriesOf([entry, file]: [string, string]): [string, string][] {
  if (!file.includes('*')) return [[entry, file]]
  const names = globSync(file, { cwd: root }).filter((name) => !name.includes('.test.'))
  return names.sort().map((name) => [entry.replace('*', path.basename(name, '.ts')), name])
}

it('the entries export these names', async () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const names: Record<string, string> = {}
  for (const [entry, file] of Object.entries<string>(exports).flatMap(entriesOf)) {
    names[entry] = Object.keys(await import(new URL(file, root).href))
      .sort()
      .join(' ')
  }
  expect(names).toMatchInlineSnapshot(`
    {
      ".": "AgentContext AgentToken ApprovalRequired AuthorizationRequired EnterpriseCredentials GuardError NotAllowed ServiceCredentials clientsFromEnv createAccountFetch createBroker createGuardedFetch createRedactor currentIdentities getIdentity getIdentityEnv isPublicAddress offerAccounts orAsk providersFromEnv requireIdentity secretsOf toolApproval withAccount withIdentities",
      "./code-mode": "createCodeMode",
      "./mcp": "AuthenticatedMcpClient McpCommand createMcpProxy mcpForVault resolveMcpServers",
      "./postgres": "migratePostgres postgresStore",
      "./runtimes/a2a": "answersIn pausedStatus",
      "./runtimes/acp": "orPermission",
      "./runtimes/adk": "callAgain orConfirm",
      "./runtimes/ag-ui": "interruptOf",
      "./runtimes/langgraph": "orInterrupt",
      "./runtimes/mastra": "orSuspend",
      "./runtimes/mcp-apps": "connectCard",
      "./runtimes/mcp-server": "orElicit orUrlError",
      "./runtimes/openai-agents": "openAiCalls",
      "./runtimes/pause": "answeredBy isNeed isSameNeed orPause subjectOf",
      "./runtimes/tanstack-ai": "pauseFor toolNeeds",
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
