// The client of AG-UI, against a server that speaks its protocol over a real broker, vault and API.
import { type BaseEvent, EventType, HttpAgent, type RunAgentInput } from '@ag-ui/client'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { agUi } from '@latchkey/core/runtimes/ag-ui'
import type { RuntimeAnswer } from '@latchkey/core/runtimes/requests'
import { expect, it } from 'vitest'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { withAccount } from '../../index.ts'
import { type AgUiInterrupt, interruptOf } from './ag-ui.ts'
import { answeredBy, orPause } from './pause.ts'

const bench = await openBench()
const { upstream } = bench

/** An agent that sends these texts in one step, and a page with the client. */
async function open(texts: string[], connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const send = withAccount(
    { ...{ provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' } },
    async ({ text }: { text: string }, account) =>
      (await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status,
  )
  const inputs: RunAgentInput[] = []
  /** What became of each call, by its id. */
  const ends = new Map<string, string>()

  async function* run({ threadId, runId, resume = [] }: RunAgentInput): AsyncGenerator<BaseEvent> {
    yield { type: EventType.RUN_STARTED, threadId, runId } as BaseEvent
    const context = await app.context()
    const interrupts: AgUiInterrupt[] = []
    for (const text of texts) {
      const toolCallId = `call-${text}`
      const outcome = await context
        .run(() => orPause(send, answeredBy(resume.map(({ payload }) => payload)))({ text }, { toolCallId }))
        .catch((error: Error) => interruptOf(error, toolCallId) ?? error.message)
      if (typeof outcome === 'object') interrupts.push(outcome)
      else ends.set(toolCallId, `${outcome}`)
    }
    const outcome = interrupts.length > 0 ? { type: 'interrupt', interrupts } : { type: 'success' }
    yield { type: EventType.RUN_FINISHED, threadId, runId, outcome } as BaseEvent
  }
  const fetch = async (_url: string, init: RequestInit) => {
    const input: RunAgentInput = JSON.parse(String(init.body))
    inputs.push(input)
    const events: string[] = []
    for await (const event of run(input)) events.push(`data: ${JSON.stringify(event)}\n\n`)
    return new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } })
  }
  const agent = new HttpAgent({ url: 'https://agent.example/', fetch, threadId: 't1' })
  const runtime = agUi(agent)
  return {
    ...{ ...app, agent, runtime, inputs, ends },
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
    /** What each request was answered, as the page tells it. */
    told: (hasAccount = true) =>
      Promise.all(
        runtime.find().map(async (request): Promise<RuntimeAnswer> => {
          if (request.kind !== 'call') return { request, approved: hasAccount }
          const { state, reason } = (await app.ask<{ request: AgentRequest }>(`requests/${request.request}`)).request
          return { request, approved: state === 'approved', ...(reason !== undefined && { reason }) }
        }),
      ),
  }
}
const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

it('two calls of a run are asked about, answered in one run, and the allowed one is made once', async () => {
  const { agent, runtime, told, answer, ends, inputs } = await open(['one', 'two'])
  let changes = 0
  const stop = runtime.subscribe?.(() => {
    changes += 1
  })
  await agent.runAgent()
  expect(changes).toBeGreaterThan(0)
  const found = runtime.find()
  expect(found.map(({ toolCallId, kind }) => [kind, toolCallId])).toEqual([
    ['call', 'call-one'],
    ['call', 'call-two'],
  ])
  expect(sent()).toEqual([])
  // The client refuses a run that leaves one of them open.
  await expect(agent.runAgent()).rejects.toThrow('pending interrupt')
  const [first, second] = found.flatMap((one) => (one.kind === 'call' ? [one.request] : []))
  await answer(first ?? '', { answer: 'no', reason: 'Not this' })
  await answer(second ?? '', { answer: 'yes' })
  await runtime.answer(await told())
  stop?.()
  expect(sent()).toEqual(['two'])
  expect([...ends]).toEqual([
    ['call-one', expect.stringContaining('Not this')],
    ['call-two', '200'],
  ])
  expect(runtime.find()).toEqual([])
  expect(inputs.at(-1)?.resume).toMatchObject([
    { status: 'resolved', payload: { approved: false, reason: 'Not this' } },
    { status: 'resolved', payload: { approved: true } },
  ])
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  for (const token of tokens) expect(JSON.stringify([inputs, agent.messages, agent.state])).not.toContain(token)
})

it('an account is asked for; without it the thread is free, with it the run goes on', async () => {
  const { agent, runtime, told, ask } = await open(['one'], false)
  await agent.runAgent()
  expect(runtime.find()).toMatchObject([{ kind: 'account', connect: { provider: 'acme' }, toolCallId: 'call-one' }])
  await runtime.answer(await told(false))
  expect(runtime.find()).toEqual([])
  await agent.runAgent()
  await connect(ask, upstream, 'ada')
  await runtime.answer(await told())
  expect(runtime.find()).toMatchObject([{ kind: 'call' }])
})

it('an interrupt that has ended is cancelled, so its thread goes on', async () => {
  const { agent, runtime, told, inputs } = await open(['one'], false)
  await agent.runAgent()
  for (const one of agent.pendingInterrupts) one.expiresAt = new Date(0).toISOString()
  await runtime.answer(await told())
  expect(inputs.at(-1)?.resume).toMatchObject([{ status: 'cancelled' }])
})
