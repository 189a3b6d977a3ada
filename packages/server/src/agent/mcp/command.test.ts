import { mcpServers } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { createHeadlessBrowser, PROJECTS_MCP, type Sandbox, startSandbox } from '@latchkey/sandbox'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { AgentContext, AuthorizationRequired, withIdentities } from '../../index.ts'
import { McpCommand, resolveMcpServers } from './index.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['https://app.example'], callbackPath: '/cb' })
})
afterAll(() => sandbox.close())

const TOKEN = 'CANARY_gho_1234567890'
const commandOf = (entry: object, options = {}) => {
  const [server] = mcpServers({ projects: entry }).servers
  return new McpCommand(server!, options)
}
const env = { GITHUB_TOKEN: `\${GITHUB_TOKEN}` }

/** A small MCP server that writes its environment to its answer and to stderr. */
const SPY = `
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  process.stderr.write(JSON.stringify(process.env))
  const answer = {
    initialize: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'spy', version: '1' } },
    'tools/list': { tools: [{ name: 'spy', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text: JSON.stringify({ ...process.env, pid: process.pid }) }] },
  }[method]
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: answer }) + '\\n')
})`
const spy = { command: process.execPath, args: ['-e', SPY], env }

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

it("runs a program with the person's token, and lists and calls its tools", async () => {
  const { github } = sandbox
  github.setPolicy({ auto: true, user: 'mona' })
  const redirect_uri = 'https://app.example/cb'
  const query = new URLSearchParams({ client_id: github.client.client_id, redirect_uri, scope: 'read:user' })
  const { url } = await createHeadlessBrowser().open(`${github.url}/login/oauth/authorize?${query}`)
  const body = new URLSearchParams({ ...github.client, code: url.searchParams.get('code') ?? '' })
  const answer = await fetch(`${github.url}/login/oauth/access_token`, { method: 'POST', body })
  const accessToken = new URLSearchParams(await answer.text()).get('access_token') ?? ''
  const projects = commandOf({
    command: process.execPath,
    args: [PROJECTS_MCP],
    env: { ...env, GITHUB_API_URL: `${github.url}/api/v3` },
  })
  expect(projects.accounts).toEqual(['github'])
  await withIdentities([{ provider: 'github', accessToken }], async () => {
    expect((await projects.listTools()).map(({ name }) => name)).toEqual(['survey_projects'])
    expect((await projects.callTool('survey_projects')).content[0]?.text).toContain('mona/')
  })
})

it('the token is in the environment of that program and nowhere else', async () => {
  const logged = (['log', 'error', 'warn'] as const).map((name) => vi.spyOn(console, name))
  const written = vi.spyOn(process.stderr, 'write')
  vi.stubEnv('A_SECRET_OF_OURS', 'CANARY_ours')
  const command = commandOf(spy)
  const run = (accessToken: string) =>
    withIdentities([{ provider: 'github', accessToken }], () => command.callTool('spy'))
  const [{ content }, other] = await Promise.all([run(TOKEN), run('CANARY_of_somebody_else')])
  const seen = JSON.parse(content[0]?.text ?? '')
  // It had the token, which was redacted from its answer.
  expect(seen.GITHUB_TOKEN).toBe('[redacted]')
  expect(seen).toHaveProperty('PATH')
  expect(seen).not.toHaveProperty('A_SECRET_OF_OURS')
  expect(JSON.stringify([content, other])).not.toContain('CANARY')
  expect(JSON.stringify(process.env)).not.toContain(TOKEN)
  expect(JSON.stringify([...logged, written].flatMap((spied) => spied.mock.calls))).not.toContain('CANARY')
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  // The process has ended.
  expect(() => process.kill(seen.pid, 0)).toThrow('ESRCH')
})

it('without the account no program is started, and the person is asked for the account', async () => {
  // The command does not exist, so starting it would be an error.
  const command = commandOf({ command: '/nowhere/program', env })
  const context = new AgentContext({ userId: 'bob', oauthTokens: {} })
  const error = await failure(context.run(() => command.callTool('spy')))
  expect(error).toBeInstanceOf(AuthorizationRequired)
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({ type: 'authorization_required', provider: 'github' })
  // With the account it is started. The error that it does not exist contains no token.
  const held = new AgentContext({ userId: 'ada', oauthTokens: { github: { access_token: TOKEN } } })
  const failed = await failure(held.run(() => command.callTool('spy')))
  expect(failed).toMatchObject({ code: 'not_configured', message: 'projects could not be started.' })
  expect(JSON.stringify([failed, String(failed), (failed as Error).stack])).not.toContain(TOKEN)
})

it('a program that does not answer is killed', async () => {
  const silent = commandOf({ command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] }, { timeout: 200 })
  expect(await failure(silent.listTools())).toMatchObject({ code: 'not_configured' })
})

/** A server that answers a call with the JSON that it computes from `call`. */
const answering = (result: string) => ({
  command: process.execPath,
  args: ['-e', SPY.replace(/'tools\/call': .*,?\n/, `'tools/call': method === 'tools/call' && ${result},\n`)],
  env,
})

it.each([
  ['a million values', '{ content: [], structuredContent: { list: new Array(1e6).fill(0) } }'],
  ['an answer of 20 MB', '{ content: [{ type: "text", text: "x".repeat(20e6) }] }'],
  ['half a million parts', '{ content: new Array(5e5).fill({ type: "text", text: "" }) }'],
])('case 228: an MCP server that answers with %s is refused', async (_name, result) => {
  const before = process.memoryUsage()
  const command = commandOf(answering(result), { timeout: 10_000 })
  const error = await failure(
    withIdentities([{ provider: 'github', accessToken: TOKEN }], () => command.callTool('spy')),
  )
  expect(error).toMatchObject({ code: 'malformed_response' })
  expect(process.memoryUsage().external - before.external).toBeLessThan(200 * 1024 * 1024)
})

it('a reference to an unknown account, or an entry without a command, is an error', () => {
  expect(() => commandOf({ command: 'x', env: { A: `\${HOME}` } })).toThrow('mcpServers.projects.env.A: ')
  expect(() => commandOf({ url: 'https://mcp.example/' })).toThrow('mcpServers.projects: ')
})

it("case 223: a header gets a token only for the provider's API or an origin that the app lists", async () => {
  const context = new AgentContext({ userId: 'ada', oauthTokens: { github: { access_token: TOKEN } } })
  const servers = (url: string) => ({ cats: { url, headers: { 'X-Cat': `\${GITHUB_TOKEN}` } } })
  const evil = servers('https://cats.evil.example/mcp')
  const headerOrigins = { github: ['https://api.githubcopilot.com'] }
  for (const options of [{}, { providers: [github()] }, { providers: [github()], headerOrigins }]) {
    const error = await failure(resolveMcpServers(evil, { context, ...options }))
    expect(error).toMatchObject({ code: 'access_denied', message: expect.stringContaining('cats.evil.example') })
    expect(JSON.stringify(error)).not.toContain(TOKEN)
  }
  const filled = { cats: { headers: { 'X-Cat': TOKEN } } }
  const own = servers('https://api.github.com/mcp')
  expect(await resolveMcpServers(own, { context, providers: [github()] })).toMatchObject(filled)
  const listed = servers('https://api.githubcopilot.com/mcp')
  expect(await resolveMcpServers(listed, { context, headerOrigins })).toMatchObject(filled)
  // An account has its own resource.
  const oauthTokens = { github: { access_token: TOKEN, resource: 'https://api.github.com' } }
  const telling = new AgentContext({ userId: 'ada', oauthTokens })
  expect(await resolveMcpServers(own, { context: telling })).toMatchObject(filled)
  // Its provider may have moved since.
  const moved = { context: telling, providers: [github({ baseUrl: 'https://cats.evil.example' })] }
  expect(await failure(resolveMcpServers(evil, moved))).toMatchObject({ code: 'access_denied' })
  expect(await failure(resolveMcpServers(evil, { context: telling }))).toMatchObject({ code: 'access_denied' })
})
