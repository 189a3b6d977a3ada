// An agent and a client of ACP, over a real broker, vault and API.
import {
  agent,
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type RequestPermissionRequest,
} from '@agentclientprotocol/sdk'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { type AcpRequest, acp } from '@latchkey/core/runtimes/acp'
import { expect, it, vi } from 'vitest'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { withAccount } from '../../index.ts'
import { orPermission } from './acp.ts'

const bench = await openBench()
const { upstream, ends } = bench

/** Bytes from one side to the other, and all that passed. */
function wire(passed: string[]) {
  const decoder = new TextDecoder()
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      passed.push(decoder.decode(chunk))
      controller.enqueue(chunk)
    },
  })
}

/** An agent that sends a text for each prompt, and its client. */
async function open(connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const send = withAccount(
    { ...{ provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' } },
    async ({ text }: { text: string }, account) =>
      `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status} ${text}`,
  )
  const outcomes: string[] = []
  let calls = 0
  const agentApp = agent({ name: 'sender' })
    .onRequest(methods.agent.initialize, () => ({ protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} }))
    .onRequest(methods.agent.session.new, () => ({ sessionId: 's1' }))
    .onRequest(methods.agent.session.prompt, async ({ params: { sessionId, prompt }, client: peer }) => {
      const ask = (params: RequestPermissionRequest) => peer.request(methods.client.session.requestPermission, params)
      const [part] = prompt
      const text = part?.type === 'text' ? part.text : ''
      calls += 1
      const toolCallId = `call-${calls}`
      const asking = orPermission(send, ask, () => app.context(toolCallId))
      outcomes.push(await asking({ text }, { sessionId, toolCallId }).catch(String))
      return { stopReason: 'end_turn' }
    })
  const waiting: AcpRequest[] = []
  const clientApp = client({ name: 'page' }).onRequest(
    methods.client.session.requestPermission,
    ({ params }) =>
      new Promise((resolve) => {
        const one: AcpRequest = {
          params,
          respond: (answer) => {
            waiting.splice(waiting.indexOf(one), 1)
            resolve(answer)
          },
        }
        waiting.push(one)
      }),
  )
  const passed: string[] = []
  const [there, back] = [wire(passed), wire(passed)]
  const served = agentApp.connect(ndJsonStream(back.writable, there.readable))
  const page = clientApp.connect(ndJsonStream(there.writable, back.readable))
  ends.push(
    () => page.close(),
    () => served.close(),
  )
  const { agent: peer } = page
  await peer.request(methods.agent.initialize, { protocolVersion: PROTOCOL_VERSION, clientCapabilities: {} })
  const { sessionId } = await peer.request(methods.agent.session.new, { cwd: '/', mcpServers: [] })
  const prompt = (text: string) =>
    peer.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: 'text', text }] })
  return {
    ...{ ...app, prompt, outcomes, passed, runtime: acp(waiting) },
    /** What it waits for, as soon as it waits. */
    found: (kind: string) =>
      vi.waitFor(() => {
        const [one] = acp(waiting).find()
        expect(one?.kind).toBe(kind)
        return one as NonNullable<typeof one>
      }),
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
  }
}
const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

it('a write waits for its person, and is made once', async () => {
  const { prompt, found, answer, runtime, outcomes, passed } = await open()
  const turn = prompt('Hello')
  const request = await found('call')
  expect(sent()).toEqual([])
  if (request.kind === 'call') await answer(request.request, { answer: 'yes' })
  await runtime.answer([{ request, approved: true }])
  expect(await turn).toMatchObject({ stopReason: 'end_turn' })
  expect(sent()).toEqual(['Hello'])
  expect(outcomes).toEqual(['200 Hello'])
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  expect(tokens.length).toBeGreaterThan(0)
  for (const token of tokens) expect(passed.join('')).not.toContain(token)
})

it.each([
  ['refuses', { answer: 'no', reason: 'Not on a Sunday' } as const, 'Not on a Sunday'],
  ['has not answered', undefined, 'The person is asked'],
])('a write that its person %s is not made, whatever the client says', async (_, given, words) => {
  const { prompt, found, answer, runtime, outcomes } = await open()
  const turn = prompt('Hello')
  const request = await found('call')
  if (given && request.kind === 'call') await answer(request.request, given)
  await runtime.answer([{ request, approved: true }])
  await turn
  expect(sent()).toEqual([])
  expect(outcomes).toEqual([expect.stringContaining(words)])
})

it('an account is asked for: without it the turn ends, and with it the agent goes on to its call', async () => {
  const { prompt, found, runtime, outcomes, ask, answer } = await open(false)
  const turn = prompt('Hello')
  await runtime.answer([{ request: await found('account'), approved: false }])
  await turn
  expect(outcomes).toEqual([expect.stringContaining('The person does without acme')])

  const again = prompt('Hello')
  const request = await found('account')
  await connect(ask, upstream, 'ada')
  await runtime.answer([{ request, approved: true }])
  const call = await found('call')
  if (call.kind === 'call') await answer(call.request, { answer: 'yes' })
  await runtime.answer([{ request: call, approved: true }])
  await again
  expect(outcomes.at(-1)).toBe('200 Hello')
  expect(sent()).toEqual(['Hello'])
})
