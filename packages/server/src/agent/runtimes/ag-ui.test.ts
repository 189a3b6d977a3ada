// The client of AG-UI, against a server that speaks its protocol over a real broker, vault and API.
import { type BaseEvent, EventType, HttpAgent, type RunAgentInput } from '@ag-ui/client'
import { agUi } from '@latchkey/core/runtimes/ag-ui'
import { expect, it } from 'vitest'
import { openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract, type Stage } from '../../../fixtures/runtime-contract.ts'
import { AuthorizationRequired } from '../required.ts'
import { type AgUiInterrupt, interruptOf } from './ag-ui.ts'
import { answeredBy, orPause } from './pause.ts'

const bench = await openBench()

/** An agent that does its steps anew in each run of a turn, and a page with the client. */
function open({ steps, tools, request }: Pick<Stage, 'steps' | 'tools' | 'request'>) {
  const inputs: RunAgentInput[] = []
  const events: BaseEvent[] = []
  const read: string[] = []
  const shown = new Set<string>()

  async function* run({ threadId, runId, messages, resume = [] }: RunAgentInput): AsyncGenerator<BaseEvent> {
    yield { type: EventType.RUN_STARTED, threadId, runId } as BaseEvent
    const turn = messages.filter(({ role }) => role === 'user').length
    const answered = answeredBy(resume.map(({ payload }) => payload))
    for (const [at, step] of steps.entries()) {
      const interrupts: AgUiInterrupt[] = []
      for (const [nth, [toolCallName, text, id = `call-${at}-${nth}`]] of step.entries()) {
        const toolCallId = `${id}-${turn}`
        if (!shown.has(toolCallId)) {
          shown.add(toolCallId)
          yield { type: EventType.TOOL_CALL_START, toolCallId, toolCallName } as BaseEvent
          yield { type: EventType.TOOL_CALL_ARGS, toolCallId, delta: JSON.stringify({ text }) } as BaseEvent
          yield { type: EventType.TOOL_CALL_END, toolCallId } as BaseEvent
        }
        const execute = orPause(tools[toolCallName], answered)
        const outcome = await request(() => execute({ text }, { toolCallId })).catch(
          (error: Error) => interruptOf(error, toolCallId) ?? error.message,
        )
        if (typeof outcome === 'object') interrupts.push(outcome)
        else {
          read.push(outcome)
          const messageId = `result-${toolCallId}`
          yield { type: EventType.TOOL_CALL_RESULT, messageId, toolCallId, content: outcome } as BaseEvent
        }
      }
      if (interrupts.length > 0) {
        yield { type: EventType.RUN_FINISHED, threadId, runId, outcome: { type: 'interrupt', interrupts } } as BaseEvent
        return
      }
    }
    yield { type: EventType.RUN_FINISHED, threadId, runId, outcome: { type: 'success' } } as BaseEvent
  }
  const fetch = async (_url: string, init: RequestInit) => {
    const input: RunAgentInput = JSON.parse(String(init.body))
    inputs.push(input)
    const lines: string[] = []
    for await (const event of run(input)) {
      events.push(event)
      lines.push(`data: ${JSON.stringify(event)}\n\n`)
    }
    return new Response(lines.join(''), { headers: { 'content-type': 'text/event-stream' } })
  }
  const agent = new HttpAgent({ url: 'https://agent.example/', fetch, threadId: 't1' })
  return {
    ...{ agent, inputs },
    say: async (content: string) => {
      agent.addMessage({ id: crypto.randomUUID(), role: 'user', content })
      await agent.runAgent()
    },
    runtime: () => agUi(agent),
    read: () => read.join('\n'),
    kept: () => JSON.stringify([inputs, events, agent.messages, agent.state]),
  }
}

runtimeContract('AG-UI', bench, open)

/** A chat that waits for this account. */
async function waiting() {
  const missing = () => Promise.reject(new AuthorizationRequired({ provider: 'acme' }))
  const chat = open({
    steps: [
      [
        ['look', 'x'],
        ['mail', 'y'],
      ],
    ],
    tools: { send: missing, look: missing, mail: missing },
    request: async (act) => act(),
  })
  await chat.say('Look')
  return chat
}

it('the page hears of the end of a run, and answers all that waits in one, as the client demands', async () => {
  const { agent, runtime, inputs } = await waiting()
  const changes: number[] = []
  const stop = runtime().subscribe?.(() => changes.push(runtime().find().length))
  await expect(agent.runAgent()).rejects.toThrow('pending interrupt')
  const found = runtime().find()
  expect(found.map(({ toolCallId }) => toolCallId)).toEqual(['call-0-0-1', 'call-0-1-1'])
  await runtime().answer(found.map((request) => ({ request, approved: false, reason: 'Not now' })))
  stop?.()
  expect(changes).toContain(0)
  expect(inputs.at(-1)?.resume).toMatchObject([
    { status: 'resolved', payload: { approved: false, reason: 'Not now', of: 'acme' } },
    { status: 'resolved', payload: { approved: false, reason: 'Not now', of: 'acme' } },
  ])
})

it('an interrupt that has ended is cancelled, so its thread goes on', async () => {
  const { agent, runtime, inputs } = await waiting()
  for (const one of agent.pendingInterrupts) one.expiresAt = new Date(0).toISOString()
  await runtime().answer(
    runtime()
      .find()
      .map((request) => ({ request, approved: true })),
  )
  expect(inputs.at(-1)?.resume).toMatchObject([{ status: 'cancelled' }, { status: 'cancelled' }])
})
