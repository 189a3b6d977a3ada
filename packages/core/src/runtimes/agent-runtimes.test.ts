// @vitest-environment jsdom
// The clients of four protocols, against a server that takes `identities` as agent-runtimes does.
import type { Message } from '@a2a-js/sdk'
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { HttpAgent } from '@ag-ui/client'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import {
  AbstractChat,
  type ChatState,
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithToolCalls,
  type UIMessage,
} from 'ai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { acme, connect } from '../../fixtures/acme.ts'
import { fingerprint, openSocket, type Seen, startAgentRuntimes } from '../../fixtures/agent-runtimes.ts'
import { eventually, freshPage } from '../../fixtures/page.ts'
import { createLatchkey, type Identity } from '../index.ts'
import { identitiesBody } from './ai-sdk.ts'
import { identitiesFetch } from './fetch.ts'

let server: TinyServer
let runtimes: Awaited<ReturnType<typeof startAgentRuntimes>>

beforeAll(async () => {
  server = await startTinyServer()
  runtimes = await startAgentRuntimes()
})
afterAll(() => Promise.all([server.close(), runtimes.close()]))
beforeEach(() => server.reset())
afterEach(freshPage)

type Client = Parameters<typeof identitiesBody>[0]
/** A conversation. `between` runs in the page before its second request, which has the answer of a tool where there are any. */
type Talk = (client: Client, between: () => Promise<unknown>) => Promise<Seen[]>

const agent = 'writer'

class Page extends AbstractChat<UIMessage> {}

const aiSdk: Talk = async (client, between) => {
  const seen: Seen[] = []
  const state: ChatState<UIMessage> = {
    ...{ status: 'ready', error: undefined, messages: [] as UIMessage[] },
    pushMessage: (message) => void state.messages.push(message),
    popMessage: () => void state.messages.pop(),
    replaceMessage: (index, message) => void state.messages.splice(index, 1, message),
    snapshot: structuredClone,
  }
  const page = new Page({
    state,
    transport: new DefaultChatTransport({
      api: `${runtimes.api}/vercel-ai/agent`,
      body: identitiesBody(client, { agent }),
    }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onData: ({ data }) => void seen.push(data as Seen),
    onToolCall: async ({ toolCall: { toolCallId } }) => {
      await between()
      void page.addToolOutput({ tool: 'where', toolCallId, output: 'here' })
    },
  })
  await page.sendMessage({ text: 'Begin' })
  await eventually(() => expect([seen.length, page.status]).toEqual([2, 'ready']))
  return seen
}

const agUi: Talk = async (client, between) => {
  const seen: Seen[] = []
  const url = `${runtimes.api}/ag-ui/agent/`
  const page = new HttpAgent({ url, fetch: identitiesFetch(client, { url, agent }) })
  const subscriber = { onCustomEvent: ({ event }: { event: { value: Seen } }) => void seen.push(event.value) }
  page.addMessage({ id: 'm1', role: 'user', content: 'Begin' })
  await page.runAgent({}, subscriber)
  await between()
  page.addMessage({ id: 'm2', role: 'tool', toolCallId: 'call-1', content: 'here' })
  await page.runAgent({}, subscriber)
  return seen
}

const a2a: Talk = async (client, between) => {
  const url = `${runtimes.api}/a2a/agents/agent/`
  const fetchImpl = identitiesFetch(client, { url, agent, at: 'params.metadata' })
  const legacyCompat = { enabled: true }
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl, legacyCompat })],
    cardResolver: new DefaultAgentCardResolver({ legacyCompat }),
  })
  const page = await factory.createFromUrl(url, '.well-known/agent-card.json')
  const request = { tenant: '', configuration: undefined, metadata: { model: 'small' } }
  const seenIn = (one: Message) => one.parts.flatMap(({ content }) => (content?.$case === 'data' ? content.value : []))
  const first = await page.sendMessage({ ...request, message: says('Begin') })
  await between()
  const seen = seenIn(first as Message)
  for await (const event of page.sendMessageStream({ ...request, message: says('Go on') })) {
    if (event.payload?.$case === 'message') seen.push(...seenIn(event.payload.value))
  }
  return seen
}
const says = (value: string): Message => ({
  ...{ messageId: crypto.randomUUID(), contextId: '', taskId: '', role: 1, metadata: undefined, extensions: [] },
  ...{ parts: [{ content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: '' }] },
  referenceTaskIds: [],
})

/** As the client of agent-runtimes does it: JSON-RPC in a WebSocket, where a `fetch` has no part. */
const acp: Talk = async (client, between) => {
  const accounts = identitiesBody(client, { agent })
  const socket = await openSocket(`${runtimes.api}/acp/ws/agent`)
  const ask = async (method: string, params: object): Promise<{ sessionId: string; seen: Seen }> =>
    JSON.parse(await socket.ask({ jsonrpc: '2.0', id: 1, method, params })).result
  await ask('initialize', { protocolVersion: 1 })
  const { sessionId } = await ask('session/new', {})
  const prompt = async (text: string) =>
    (await ask('session/prompt', { sessionId, content: [{ type: 'text', text }], metadata: await accounts() })).seen
  const first = await prompt('Begin')
  await between()
  const seen = [first, await prompt('Go on')]
  socket.close()
  return seen
}

const TALKS: readonly [name: string, Talk, place: string, reachesTools: boolean][] = [
  ['AI SDK', aiSdk, 'identities', false],
  ['AG-UI', agUi, 'identities', true],
  ['A2A', a2a, 'params.metadata.identities', false],
  ['ACP', acp, 'params.metadata.identities', false],
]

const open = () =>
  createLatchkey({
    providers: ['github', 'slack', 'notion'].map((id) => acme(server, { id })),
    redirectUri: '/callback',
  })

describe.each(TALKS)('%s', (name, talk, place, reachesTools) => {
  it('carries the granted accounts in every request, fresh, and no more', async () => {
    const client = open()
    for (const id of ['github', 'slack', 'notion']) await connect(client, server, { id })
    client.setIncluded(agent, 'slack', false)
    const held: Record<string, string>[] = []
    const hold = async () => {
      const [github, notion] = await Promise.all([client.getToken('github'), client.getToken('notion')])
      held.push({ GITHUB_TOKEN: fingerprint(github), NOTION_TOKEN: fingerprint(notion) })
    }
    await hold()
    const seen = await talk(client, async () => {
      // The lifetime of the tokens is an hour, so they are refreshed.
      await Promise.all(['github', 'notion'].map((id) => client.getToken(id, { minValidity: 7200 })))
      client.setIncluded(agent, 'notion', false)
      await hold()
    })
    expect(seen.map(({ carried }) => carried)).toEqual([place, place])
    const [before, after] = held
    expect(after?.GITHUB_TOKEN).not.toBe(before?.GITHUB_TOKEN)
    expect(seen.map(({ env }) => env)).toEqual([before, { GITHUB_TOKEN: after?.GITHUB_TOKEN }])
    for (const one of seen) {
      expect(one).toMatchObject({ refresh: 0, asUser: null, platformJwt: null })
      expect(one.keys).toEqual(['accessToken', 'accountId', 'expiresAt', 'provider', 'resource', 'scopes'])
      expect(one.tool).toEqual(reachesTools ? one.env : {})
      // Those of `identities`, and those of `accounts`.
      const tokens = Object.values(one.env)
      expect(one.stored).toEqual(name === 'ACP' ? [...tokens, ...tokens] : null)
    }
  })

  it('carries nothing where no account may be used', async () => {
    const client = open()
    const account = await connect(client, server, { id: 'github' })
    client.setIncluded(agent, 'github', false)
    const seen = await talk(client, () => client.disconnect(account.id))
    expect(seen).toMatchObject([
      { carried: null, ignored: [] },
      { carried: null, ignored: [] },
    ])
  })

  it('carries only what is read there, if the app says so', async () => {
    const client = open()
    await connect(client, server, { id: 'github' })
    const [all] = await talk(client, async () => {})
    const [only] = await talk({ getIdentities: client.getIdentities }, async () => {})
    expect([all?.ignored, only?.ignored]).toEqual([['accounts'], []])
    expect(only?.env).toEqual(all?.env)
  })

  it('a token with three parts is taken for the one of a Datalayer user, if it is the first', async () => {
    const jwt: Identity = { provider: 'microsoft', accessToken: 'a.b.c' }
    const plain: Identity = { provider: 'github', accessToken: 'gho_1' }
    const takes = async (...identities: Identity[]) =>
      (await talk({ getIdentities: async () => identities }, async () => {}))[0]?.platformJwt
    const isRead = name !== 'A2A'
    expect(await takes(jwt, plain)).toBe(isRead ? fingerprint('a.b.c') : null)
    expect(await takes(plain, jwt)).toBeNull()
  })
})

describe('trigger/run', () => {
  const run = async (body: object, client: Client = { getIdentities: async () => [] }) => {
    const url = `${runtimes.api}/agents/agent/trigger/run`
    const send = identitiesFetch(client, { url, agent })
    const answer = await send(url, { method: 'POST', body: JSON.stringify(body) })
    return [answer.status, await answer.json()]
  }

  it('takes the accounts of a client, and none', async () => {
    const client = open()
    await connect(client, server, { id: 'github' })
    const env = { GITHUB_TOKEN: fingerprint(await client.getToken('github')) }
    expect(await run({ source: 'once' }, client)).toMatchObject([200, { seen: { env, tool: env, refresh: 0 } }])
    expect(await run({ source: 'once' })).toMatchObject([200, { seen: { carried: null, env: {} } }])
  })

  it('takes a body whose accounts the server keeps, since references are no identities', async () => {
    const reference = { provider: 'github', accountId: 'github.a', status: 'connected' as const, scopes: [] }
    const keeps = { getIdentities: async () => [], getConnectedAccounts: async () => [reference] }
    expect(await run({}, keeps)).toMatchObject([200, { seen: { carried: null, ignored: ['connectedAccounts'] } }])
  })

  it.each([
    ['without a token', { provider: 'github' }],
    ['with an empty token', { provider: 'github', accessToken: '' }],
    ['with an empty provider', { provider: '', accessToken: 'gho_1' }],
  ])('refuses an entry %s', async (_, entry) => {
    const url = `${runtimes.api}/agents/agent/trigger/run`
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ identities: [entry] }) })
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { detail: [{ loc: ['body', 'identities', 0, expect.any(String)] }] },
    ])
  })
})

it('MCP-UI drops what is sent, since its request has no such member', async () => {
  const body = { message: 'Begin', identities: [{ provider: 'github', accessToken: 'gho_1' }] }
  const answer = await fetch(`${runtimes.api}/mcp-ui/chat/agent`, { method: 'POST', body: JSON.stringify(body) })
  const [part] = (await answer.json()).content
  expect(JSON.parse(part.text)).toMatchObject({ carried: null, env: {}, tool: {} })
})
