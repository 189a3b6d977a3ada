import { type BaseEvent, EventType, type RunAgentInput } from '@ag-ui/client'
import type { AgentContext, Broker } from '@latchkey/server'
import { interruptOf } from '@latchkey/server/runtimes/ag-ui'
import { answeredBy, orPause } from '@latchkey/server/runtimes/pause'
import { createIssue } from './create-issue.ts'

/** A call that the model has made. */
interface Call {
  id: string
  input: { repo: string; title: string }
}

/** A run of AG-UI: it makes the calls of its model, and ends with an interrupt for each that waits. */
async function* events(input: RunAgentInput, context: AgentContext, calls: Call[]): AsyncGenerator<BaseEvent> {
  const { threadId, runId, resume = [] } = input
  yield { type: EventType.RUN_STARTED, threadId, runId } as BaseEvent
  // A run that resumes another one makes its calls again. What was done is not done twice.
  const execute = orPause(createIssue, answeredBy(resume.map(({ payload }) => payload)))
  const interrupts = []
  for (const { id: toolCallId, input } of calls) {
    const outcome = await context
      .run(() => execute(input, { toolCallId }))
      .catch((error: Error) => interruptOf(error, toolCallId) ?? error.message)
    if (typeof outcome === 'object') interrupts.push(outcome)
    else {
      const messageId = crypto.randomUUID()
      yield { type: EventType.TOOL_CALL_RESULT, messageId, toolCallId, content: outcome } as BaseEvent
    }
  }
  const outcome = interrupts.length > 0 ? { type: 'interrupt', interrupts } : { type: 'success' }
  yield { type: EventType.RUN_FINISHED, threadId, runId, outcome } as BaseEvent
}

/** The agent's route. `callsOf`: what the model wants to call. */
export async function run(request: Request, broker: Broker, callsOf: (input: RunAgentInput) => Call[]) {
  const sent: RunAgentInput = await request.json()
  const turn = sent.messages.findLast(({ role }) => role === 'user')?.id
  const about = { agent: 'assistant', chat: sent.threadId, ...(turn && { run: turn }) }
  const { context, body } = await broker.agentContext(request, sent, about)
  const encoder = new TextEncoder()
  const stream = new ReadableStream({
    async start(controller) {
      for await (const event of events(body, context, callsOf(body))) {
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(event)}\n\n`))
      }
      controller.close()
    },
  })
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
}
