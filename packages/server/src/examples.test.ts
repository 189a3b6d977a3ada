import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { ConnectedAccount } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { createHeadlessBrowser, type Sandbox, startSandbox } from '@latchkey/sandbox'
import type { Schema } from 'ai'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createContext, createListRepos } from '../examples/agent-context.ts'
import { createAgentsBroker, reply, tools } from '../examples/agents.ts'
import { createListRepos as createChoosing } from '../examples/choose-account.ts'
import { runCode } from '../examples/code-mode.ts'
import { config, serversOf } from '../examples/mcp-servers.ts'
import { createServer } from '../examples/mount.ts'
import { createGetMetrics } from '../examples/service-credentials.ts'
import { listDatasets } from '../examples/skill.ts'
import { createVaultBroker, run } from '../examples/vault.ts'
import { openVault } from '../fixtures/open-vault.ts'
import { resolveMcpServers } from './agent/mcp/index.ts'
import { AgentContext, AuthorizationRequired, createBroker } from './index.ts'
import { localKeys, memoryStore } from './vault/index.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['https://app.example'], callbackPath: '/cb' })
})
afterAll(() => sandbox.close())

it("example: an agent context, and a tool that lists the person's repositories", async () => {
  const { github } = sandbox
  const list_repos = createListRepos(github.url)
  for (const user of ['octocat', 'mona']) {
    github.setPolicy({ auto: true, user })
    const redirect_uri = 'https://app.example/cb'
    const query = new URLSearchParams({ client_id: github.client.client_id, redirect_uri, scope: 'read:user' })
    const { url } = await createHeadlessBrowser().open(`${github.url}/login/oauth/authorize?${query}`)
    const body = new URLSearchParams({ ...github.client, code: url.searchParams.get('code') ?? '' })
    const answer = await fetch(`${github.url}/login/oauth/access_token`, { method: 'POST', body })
    const token = new URLSearchParams(await answer.text()).get('access_token') ?? ''
    const ctx = createContext(user, token)
    expect(ctx.oauthTokens.github.access_token).toBe(token)
    expect(ctx.oauthTokens.github.scopes).toEqual(['read:user'])
    const repos = await ctx.run(() => list_repos.execute?.({}, { toolCallId: '1', messages: [], context: {} }))
    expect(repos).toHaveLength(user === 'octocat' ? 3 : 2)
    expect(JSON.stringify(repos)).toContain(`${user}/`)
  }
})

it('example: a tool that is told which account to use', async () => {
  const accounts = ['ada', 'home'].map((label, index) => ({
    provider: 'github',
    accessToken: `CANARY_${label}`,
    accountId: `github.${`${index}`.repeat(22)}`,
    label,
  }))
  const broker = createBroker({
    providers: [github()],
    authenticate: () => 'ada',
    allowedOrigins: ['https://app.example'],
  })
  const { context } = await broker.agentContext('ada', { accounts }, { agent: 'assistant' })
  const asked: (string | null)[] = []
  const { inputSchema, execute } = createChoosing(context, async (_url, init) => {
    asked.push(new Headers(init?.headers).get('authorization'))
    return Response.json([{ full_name: 'ada/engine' }])
  })
  const schema = inputSchema as Schema<{ sort: 'created' | 'updated'; account?: string }>
  expect(await schema.jsonSchema).toMatchObject({
    properties: { account: { enum: ['ada', accounts[0]?.accountId, 'home', accounts[1]?.accountId] } },
  })
  const parsed = await schema.validate?.({ account: 'home' })
  if (!parsed?.success) throw new Error('The input is not valid.')
  const options = { toolCallId: '1', messages: [], context: {} }
  const answer = { accountId: accounts[1]?.accountId, account: 'home', repos: [{ full_name: 'ada/engine' }] }
  await context.run(async () => {
    await expect(execute?.({ sort: 'updated' }, options)).rejects.toMatchObject({ code: 'invalid_request' })
    expect(await execute?.(parsed.value, options)).toEqual(answer)
    expect(await execute?.({ sort: 'created' }, options)).toEqual(answer)
  })
  expect(asked).toEqual(['Bearer CANARY_home', 'Bearer CANARY_home'])
})

it('example: a service account, and a tool that reads metrics with it', async () => {
  const { client, url } = sandbox.metrics
  const get_metrics = createGetMetrics({
    clientId: client.client_id,
    clientSecret: client.client_secret,
    tokenEndpoint: `${url}/token`,
    api: `${url}/api`,
  })
  expect(await get_metrics()).toMatchObject({ service_account: client.client_id, metrics: [{}, {}, {}] })
})

it('example: MCP servers that are configured with references to accounts', async () => {
  const ctx = new AgentContext({
    userId: 'ada',
    oauthTokens: { github: { access_token: 'CANARY_AT_github' }, kaggle: { access_token: 'KGAT_CANARY' } },
  })
  expect(await serversOf(ctx)).toMatchObject({
    github: { ...config.mcpServers.github, env: { GITHUB_TOKEN: 'CANARY_AT_github' } },
    datasets: { ...config.mcpServers.datasets, headers: { Authorization: 'Bearer KGAT_CANARY' } },
  })
  expect(JSON.stringify(config)).not.toContain('CANARY')
  const withoutAccounts = new AgentContext({ userId: 'bob', oauthTokens: {} })
  const error = await serversOf(withoutAccounts).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(AuthorizationRequired)
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({ provider: 'github', toolName: 'github' })
})

it('a reference in a place where the token would be visible or sent unencrypted is refused', async () => {
  const context = new AgentContext({ userId: 'ada', oauthTokens: { github: { access_token: 'CANARY' } } })
  const reference = `\${GITHUB_TOKEN}`
  for (const [entry, path] of [
    [{ command: 'x', args: [`--token=${reference}`] }, 'mcpServers.x.args.0: '],
    [{ command: reference }, 'mcpServers.x.command: '],
    [{ url: `https://mcp.example/?token=${reference}` }, 'mcpServers.x.url: '],
    [{ url: 'http://mcp.example/', headers: { Authorization: reference } }, 'mcpServers.x.url: '],
    [{ command: 'x', env: { A: `\${HOME}` } }, 'mcpServers.x.env.A: '],
    [{ command: 'x', env: { A: `\${KAGGLE_KEY_OF_NOBODY}` } }, 'mcpServers.x.env.A: '],
  ] as const) {
    const refused = resolveMcpServers({ mcpServers: { x: entry } }, { context })
    await expect(refused).rejects.toMatchObject({ code: 'misuse', message: expect.stringContaining(path) })
  }
  const headerOrigins = { github: ['http://127.0.0.1:1'] }
  const local = { url: 'http://127.0.0.1:1/', headers: { Authorization: `Bearer ${reference}` } }
  expect(await resolveMcpServers({ mcpServers: { x: local } }, { context, headerOrigins })).toMatchObject({
    x: { headers: { Authorization: 'Bearer CANARY' } },
  })
})

it.skipIf(spawnSync('python3', ['--version']).status !== 0)(
  'example: a skill in Python that reads KAGGLE_TOKEN',
  async () => {
    const { credentials, url } = sandbox.kaggle
    const ctx = new AgentContext({ userId: 'ada', oauthTokens: { kaggle: { access_token: credentials.token } } })
    const datasets = await listDatasets(ctx, `${url}/v1`)
    expect(datasets.sort()).toEqual([
      'adalovelace/bernoulli-numbers',
      'adalovelace/engine-trial-runs',
      'adalovelace/punch-card-patterns',
    ])
    await expect(listDatasets(new AgentContext({ userId: 'bob', oauthTokens: {} }))).rejects.toThrow(
      AuthorizationRequired,
    )
  },
)

it('example: a server with a broker', async () => {
  const app = createServer(async () => null, { GITHUB_CLIENT_ID: 'app', GITHUB_CLIENT_SECRET: 'CANARY_secret' })
  const known = await app.request('https://app.example/api/latchkey/providers')
  const text = await known.text()
  expect(JSON.parse(text)).toMatchObject({
    providers: expect.arrayContaining([{ id: 'github', client_id: 'app', mode: 'mediate' }]),
  })
  expect(text).not.toContain('CANARY')
  const callback = await app.request('https://app.example/api/latchkey/callback?code=x&state=y')
  expect([callback.status, callback.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8'])
  const anonymous = await app.request('https://app.example/api/latchkey/token', {
    method: 'POST',
    headers: { origin: 'https://app.example', 'content-type': 'application/json', 'latchkey-request': '1' },
    body: '{}',
  })
  expect(anonymous.status).toBe(401)
})

it('example: a run whose accounts are in the vault', async () => {
  const vault = openVault({ store: memoryStore(), keys: localKeys(randomBytes(32).toString('base64')) })
  const id = `github.${'a'.repeat(22)}`
  const account: ConnectedAccount = {
    id,
    provider: 'github',
    issuer: 'https://github.com/login/oauth',
    label: 'octocat',
    scopes: ['read:user'],
    missingScopes: [],
    status: 'connected',
    renewable: false,
    connectedAt: 0,
    rev: 0,
  }
  const token = { access_token: 'CANARY_AT', token_type: 'bearer' as const, issuer: account.issuer }
  await vault.save({ user: 'ada', tenant: 'default' }, id, () => ({ account, secret: { token } }))
  const runOf = async (userId: string) => {
    const broker = createVaultBroker(vault, async () => ({ id: 'session', userId }))
    const body = JSON.stringify({
      text: 'hello',
      connectedAccounts: [{ provider: 'github', accountId: id, status: 'connected', scopes: [] }],
    })
    const request = new Request('https://app.example/run', { method: 'POST', body })
    try {
      return await run(request, broker, async (rest) => {
        const asked = AgentContext.current().getToken('github', { effect: 'read' })
        return [
          rest,
          await asked.then(
            ({ access_token }) => access_token,
            (error) => error.request.provider,
          ),
        ]
      })
    } finally {
      broker.close()
    }
  }
  expect(await runOf('ada')).toEqual([{ text: 'hello' }, 'CANARY_AT'])
  expect(await runOf('mallory')).toEqual([{ text: 'hello' }, 'github'])
})

it('example: code that a model wrote, and its missing account', async () => {
  const ctx = new AgentContext({ userId: 'ada', oauthTokens: {} })
  expect(await ctx.run(() => runCode('return 6 * 7'))).toBe(42)
  expect(
    await ctx.run(() => runCode('return (await fetch("https://api.github.com/user/repos")).status')),
  ).toMatchObject({
    status: 'paused',
    requests: [{ type: 'authorization_required', provider: 'github' }],
  })
})

it('example: agents and tools that are declared, and a write that its person is asked about', async () => {
  const issues: unknown[] = []
  vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => {
    if (init?.method !== 'POST') return Response.json([{ full_name: 'ada/engine' }])
    issues.push([address, JSON.parse(String(init.body))])
    return Response.json({ html_url: `https://github.com/ada/engine/issues/${issues.length}` })
  })
  const broker = createAgentsBroker(async () => 'ada')
  const call = async (route: string, body?: object) => {
    const headers = { origin: 'https://app.example', 'content-type': 'application/json', 'latchkey-request': '1' }
    const sent = body && { method: 'POST', body: JSON.stringify(body) }
    return (await broker(new Request(`https://app.example/api/latchkey/${route}`, { headers, ...sent }))).json()
  }
  const accountId = `github.${'a'.repeat(22)}`
  const chat = <Answer>(message: string, act: () => Promise<Answer>) => {
    const identities = [{ provider: 'github', accessToken: 'CANARY_AT', scopes: ['repo'], accountId }]
    const body = JSON.stringify({ text: 'hello', identities })
    const request = new Request('https://app.example/chat', { method: 'POST', body })
    return reply(request, broker, { message, chat: 'chat' }, act)
  }
  const options = { toolCallId: '1', messages: [], context: {} }
  const issue = { repo: 'ada/engine', title: 'A gear is stuck', body: 'The third one.' }
  const openIssue = (message: string) => chat(message, async () => tools.open_issue.execute?.(issue, options))
  try {
    expect(await call('agents')).toMatchObject({
      agents: [
        { id: 'assistant', tools: [{ name: 'github/list_repos' }, { name: 'github/open_issue', effect: 'write' }] },
        { id: 'reporter', parent: 'assistant' },
      ],
    })
    expect(await chat('m1', async () => tools.list_repos.execute?.({}, options))).toEqual([{ full_name: 'ada/engine' }])

    const asked = await openIssue('m1')
    expect(asked).toMatchObject({ type: 'approval_required', agent: 'assistant', toolName: 'github/open_issue' })
    const { requests } = await call('requests')
    const [{ id }] = requests
    expect(requests).toMatchObject([{ args: issue, leases: ['once', 'chat', 'hour', 'always'] }])
    expect(asked).toMatchObject({ request: id })
    expect(issues).toEqual([])

    expect(await call(`requests/${id}`, { answer: 'yes' })).toMatchObject({ request: { state: 'approved' } })
    const opened = { html_url: 'https://github.com/ada/engine/issues/1' }
    expect(await openIssue('m1')).toEqual(opened)
    // The answer is made again, and the issue is not opened twice. For another message its person is asked again.
    expect(await openIssue('m1')).toEqual(opened)
    expect(await openIssue('m2')).toMatchObject({ type: 'approval_required' })
    const { repo, ...sent } = issue
    expect(issues).toEqual([[`https://api.github.com/repos/${repo}/issues`, sent]])
    const { uses } = await call('activity')
    expect(uses.map(({ action, tool }: { action: string; tool: string }) => [action, tool])).toEqual([
      ['ask', 'github/open_issue'],
      ['use', 'github/open_issue'],
      ['answer', 'github/open_issue'],
      ['ask', 'github/open_issue'],
      ['use', 'github/list_repos'],
    ])
    expect(JSON.stringify(uses)).not.toContain('CANARY')
  } finally {
    broker.close()
    vi.unstubAllGlobals()
  }
})
