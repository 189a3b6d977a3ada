import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mcpServers } from '@latchkey/core/mcp'
import { createHeadlessBrowser, PROJECTS_MCP, type Sandbox, startSandbox } from '@latchkey/sandbox'
import { createVault, localKeys } from '@latchkey/server/vault'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createApp } from './app.ts'
import { createScriptedModel } from './scripted-model.ts'

const origin = 'http://localhost:5173'
let sandbox: Sandbox
let app: ReturnType<typeof createApp>
let cookie: string

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: [origin] })
  app = createApp({
    origins: [origin],
    baseUrls: { github: sandbox.github.url, gmail: sandbox.google.url, kaggle: sandbox.kaggle.url },
    clients: { github: sandbox.github.client, gmail: sandbox.google.client },
    agent: { model: createScriptedModel({ chunkDelayInMs: 0 }), name: 'Scripted' },
    metrics: sandbox.metrics,
  })
  const config = await app.request('/api/config')
  cookie = config.headers.get('set-cookie')?.split(';')[0] ?? ''
})
afterAll(() => sandbox.close())

/** Sends a message to the agent, and returns the whole stream as text. */
async function ask(text: string, identities?: object[], headers: Record<string, string> = { cookie }) {
  const message = { id: '1', role: 'user', parts: [{ type: 'text', text }] }
  const response = await app.request('/api/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin, ...headers },
    body: JSON.stringify({ id: 'chat', messages: [message], identities }),
  })
  return { status: response.status, stream: await response.text() }
}

/** The tool outputs of a stream. */
const outputs = (stream: string) =>
  stream
    .split('\n')
    .flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice('data: '.length))] : []))
    .flatMap((chunk) => (chunk.type === 'tool-output-available' ? [chunk.output] : []))

test('the configuration for the page contains no secret', async () => {
  const text = await (await app.request('/api/config')).text()
  expect(JSON.parse(text).baseUrls.github).toBe(sandbox.github.url)
  for (const secret of [sandbox.github.client.client_secret, sandbox.kaggle.credentials.token]) {
    expect(text).not.toContain(secret)
  }
})

test('a tool runs with the account of the request, and its token is sent to no other host', async () => {
  const { token } = sandbox.kaggle.credentials
  const logged = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error'), vi.spyOn(console, 'warn')]
  const { stream } = await ask('List my datasets', [{ provider: 'kaggle', accessToken: token, accountId: 'kaggle.1' }])
  expect(outputs(stream)).toMatchObject([{ accountId: 'kaggle.1', datasets: [{ title: 'Bernoulli Numbers' }, {}, {}] }])
  expect(sandbox.kaggle.log.at(-1)?.headers.authorization).toBe(`Bearer ${token}`)
  expect(stream).not.toContain(token)
  expect(JSON.stringify(logged.flatMap((spy) => spy.mock.calls))).not.toContain(token)
})

test('a legacy key is sent with its username', async () => {
  const { username, key } = sandbox.kaggle.credentials
  const { stream } = await ask('List my datasets', [{ provider: 'kaggle', accessToken: key, fields: { username } }])
  expect(outputs(stream)).toMatchObject([{ datasets: [{}, {}, {}] }])
  expect(sandbox.kaggle.log.at(-1)?.headers.authorization).toMatch(/^Basic /)
})

test('tools without an account wait for it', async () => {
  const { stream } = await ask('List my repositories and search my mail for invoices')
  expect(outputs(stream)).toEqual([])
  expect(stream).toContain('[connect provider=github&tool=list_repositories]')
  const scope = encodeURIComponent('https://www.googleapis.com/auth/gmail.readonly')
  expect(stream).toContain(`[connect provider=gmail&scope=${scope}&tool=search_mail]`)
})

test('if the API refuses the token, the tool asks for the account again', async () => {
  const { stream } = await ask('List my repositories', [{ provider: 'github', accessToken: 'gho_dead' }])
  expect(outputs(stream)).toMatchObject([{ type: 'authorization_required', provider: 'github' }])
  expect(stream).not.toContain('gho_dead')
})

test('the error of a failing service contains no secret', async () => {
  sandbox.kaggle.addFaults('/v1/datasets.DatasetApiService/ListDatasets', [{ status: 502, body: 'KGAT_echoed' }])
  const { stream } = await ask('List my datasets', [{ provider: 'kaggle', accessToken: 'KGAT_echoed' }])
  expect(stream).toContain('Kaggle answered with status 502.')
  expect(stream).not.toContain('KGAT_echoed')
})

/** The app with Kaggle's account of one session in its vault. Servers of `origins` may be asked. */
async function openVaulted(origins: string[] = []) {
  const vault = createVault({ keys: localKeys(randomBytes(32).toString('base64')) })
  const inVault = createApp({
    origins: [origin],
    baseUrls: { kaggle: sandbox.kaggle.url },
    clients: {},
    agent: { model: createScriptedModel({ chunkDelayInMs: 0 }), name: 'Scripted' },
    mcp: { origins, servers: [], clientMetadataUrl: '' },
    vault,
  })
  const session = async () => (await inVault.request('/api/config')).headers.get('set-cookie')?.split(';')[0] ?? ''
  const [mine, other] = [await session(), await session()]
  const headers = { 'content-type': 'application/json', 'latchkey-request': '1', origin }
  const { token } = sandbox.kaggle.credentials
  const connected = await inVault.request('/api/latchkey/accounts', {
    method: 'POST',
    headers: { ...headers, cookie: mine },
    body: JSON.stringify({ provider: 'kaggle', fields: { key: token } }),
  })
  const { account } = (await connected.json()) as { account: { id: string } }
  const ask = (cookie: string, further: object = {}) => {
    const message = { id: '1', role: 'user', parts: [{ type: 'text', text: 'List my datasets' }] }
    const connectedAccounts = [{ provider: 'kaggle', accountId: account.id }]
    const body = JSON.stringify({ id: 'chat', messages: [message], connectedAccounts, ...further })
    return inVault.request('/api/chat', { method: 'POST', headers: { ...headers, cookie }, body })
  }
  return { account, token, mine, other, ask }
}

test('in vault custody a run carries references, which work only for the session they belong to', async () => {
  const { account, token, mine, other, ask } = await openVaulted()
  const chat = async (cookie: string) => {
    const stream = await (await ask(cookie)).text()
    expect(stream).not.toContain(token)
    return outputs(stream)
  }
  expect(await chat(mine)).toMatchObject([{ accountId: account.id, datasets: [{}, {}, {}] }])
  expect(await chat(other)).toMatchObject([{ type: 'authorization_required', provider: 'kaggle' }])
})

test('case 218: a server that a page calls by the id of a provider is refused, and gets nothing of the vault', async () => {
  let asked = 0
  const evil = createServer((_request, response) => {
    asked += 1
    response.end()
  })
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  const { port } = evil.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const { mine, ask } = await openVaulted([url])
  const response = await ask(mine, { mcpServers: [{ id: 'kaggle', name: 'Kaggle', url: `${url}/mcp` }] })
  expect(response.status).toBe(400)
  expect(asked).toBe(0)
  evil.close()
})

test('a chat is one that this server has given to this session for this agent', async () => {
  const session = async () => (await app.request('/api/config')).headers.get('set-cookie')?.split(';')[0] ?? ''
  const post = async (path: string, cookie: string, body: object = {}) => {
    const headers = { 'content-type': 'application/json', origin, cookie }
    return app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
  }
  const started = async (agent: string, cookie: string): Promise<string> =>
    (await (await post(`/api/chats/${agent}`, cookie)).json()).chat
  const messages = [{ id: '1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }]
  const says = async (chat: unknown) => (await post('/api/chat', cookie, { messages, chat })).status

  const mine = await started('assistant', cookie)
  expect(await says(mine)).toBe(200)
  expect(mine).not.toBe(await started('assistant', cookie))
  const [id, signature] = mine.split('.')
  const [other] = (await started('assistant', cookie)).split('.')
  const foreign = [await started('assistant', await session()), await started('mail-helper', cookie)]
  for (const chat of [...foreign, id, `${id}.`, `${other}.${signature}`, 'chat', '', null, 7, [mine], { chat: mine }]) {
    expect(await says(chat), JSON.stringify(chat)).toBe(403)
  }
  expect((await post('/api/chats/assistant', '')).status).toBe(401)
  expect((await post('/api/chats/nobody', cookie)).status).toBe(404)
})

test('a request without a session of this app is refused', async () => {
  expect((await ask('Hello', undefined, {})).status).toBe(401)
})

test('invalid messages are refused', async () => {
  const response = await app.request('/api/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin, cookie },
    body: JSON.stringify({ messages: [{ role: 'user' }] }),
  })
  expect(response.status).toBe(400)
})

test('an MCP server in a request is a URL: a request with a command is refused, and nothing is run', async () => {
  const asked = async (server: object) => {
    const message = { id: '1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }
    const response = await app.request('/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin, cookie },
      body: JSON.stringify({ id: 'chat', messages: [message], mcpServers: [{ id: 'x', name: 'x', ...server }] }),
    })
    return response.status
  }
  expect(await asked({ url: 'https://127.0.0.1:1/mcp' })).toBe(200)
  for (const server of [
    { command: 'touch', args: ['x'] },
    { url: 'https://127.0.0.1:1/mcp', command: 'touch' },
    { url: 'https://127.0.0.1:1/mcp', env: { A: '1' } },
    { url: 'file:///etc/passwd' },
  ]) {
    expect(await asked(server)).toBe(400)
  }
})

test('a command of the server’s own runs with the account of the request, and asks for it without', async () => {
  const withCommand = createApp({
    origins: [origin],
    baseUrls: {},
    clients: {},
    agent: { model: createScriptedModel({ chunkDelayInMs: 0 }), name: 'Scripted' },
    mcpConfig: mcpServers({
      projects: {
        command: process.execPath,
        args: [PROJECTS_MCP],
        env: { GITHUB_TOKEN: `\${GITHUB_TOKEN}`, GITHUB_API_URL: `${sandbox.github.url}/api/v3` },
      },
    }),
  })
  const session = (await withCommand.request('/api/config')).headers.get('set-cookie')?.split(';')[0] ?? ''
  const chat = async (text: string, identities?: object[]) => {
    const message = { id: '1', role: 'user', parts: [{ type: 'text', text }] }
    const response = await withCommand.request('/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin, cookie: session },
      body: JSON.stringify({ id: 'chat', messages: [message], identities }),
    })
    return response.text()
  }
  expect(outputs(await chat('Use the projects'))).toMatchObject([
    { type: 'authorization_required', provider: 'github' },
  ])
  const accessToken = await githubToken()
  const stream = await chat('Survey projects', [{ provider: 'github', accessToken, accountId: 'github.1' }])
  expect(outputs(stream)).toMatchObject([{ accountId: 'github.1', text: expect.stringContaining('octocat/') }])
  expect(stream).not.toContain(accessToken)
  expect(JSON.stringify(process.env)).not.toContain(accessToken)
  // The list of tools is cached; the account is looked up for each call.
  expect(outputs(await chat('Survey projects'))).toMatchObject([{ type: 'authorization_required', provider: 'github' }])
})

test('a skill runs with the account it declares', async () => {
  const { token, username, key } = sandbox.kaggle.credentials
  for (const identity of [{ accessToken: token }, { accessToken: key, fields: { username } }]) {
    const { stream } = await ask('Run the datasets skill', [{ provider: 'kaggle', accountId: 'kaggle.1', ...identity }])
    if (!stream.includes('which is not installed here')) {
      expect(outputs(stream)).toMatchObject([
        { accountId: 'kaggle.1', datasets: [{ title: 'Bernoulli Numbers' }, {}, {}] },
      ])
    }
    expect(stream).not.toContain(identity.accessToken)
  }
  const { stream } = await ask('Run the datasets skill')
  expect(outputs(stream)).toMatchObject([{ type: 'authorization_required', provider: 'kaggle' }])
})

test('code whose account is missing pauses, and resumes where it stopped once the account is connected', async () => {
  const before = sandbox.github.log.length
  const first = await ask('Use code mode to count my repositories')
  expect(outputs(first.stream)).toMatchObject([{ type: 'authorization_required', provider: 'github' }])
  expect(first.stream).not.toContain('continuation')
  const accessToken = await githubToken()
  const second = await ask('Use code mode to count my repositories', [
    { provider: 'github', accessToken, accountId: 'github.1' },
  ])
  expect(outputs(second.stream)).toMatchObject([
    { accountId: 'github.1', accounts: [{ provider: 'github' }], value: 'octocat has 3 repositories' },
  ])
  expect(second.stream).not.toContain(accessToken)
  const calls = sandbox.github.log.slice(before).filter(({ path }) => path.startsWith('/api/'))
  expect(calls.map(({ path }) => path)).toEqual(['/api/v3/user/repos', '/api/v3/user'])
})

test('the metrics are read with the service account, for every person', async () => {
  const { stream } = await ask('Show the metrics')
  expect(outputs(stream)).toMatchObject([{ serviceAccount: 'metrics-reader', metrics: [{}, {}, {}] }])
  expect(stream).not.toContain(sandbox.metrics.client.client_secret)
})

/** Goes through GitHub's pages as the octocat does. */
async function githubToken(): Promise<string> {
  const { github } = sandbox
  github.setPolicy({ auto: true })
  const redirect_uri = `${origin}/api/latchkey/callback`
  const query = new URLSearchParams({ client_id: github.client.client_id, redirect_uri, scope: 'read:user' })
  const { url } = await createHeadlessBrowser().open(`${github.url}/login/oauth/authorize?${query}`)
  const body = new URLSearchParams({ ...github.client, code: url.searchParams.get('code') ?? '' })
  const answer = await fetch(`${github.url}/login/oauth/access_token`, { method: 'POST', body })
  return new URLSearchParams(await answer.text()).get('access_token') ?? ''
}
