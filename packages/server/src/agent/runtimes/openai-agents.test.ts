// Real runs of the OpenAI Agents SDK with a scripted model, over a real broker, vault and API.
import { type Resume, readNeed, resumeOf } from '@latchkey/core/runtimes/requests'
import { Agent, type Model, type ModelRequest, Runner, RunState, setTraceProcessors, tool, Usage } from '@openai/agents'
import { z } from 'zod'
import { openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { type OpenAiPause, openAiCalls } from './openai-agents.ts'

const bench = await openBench()

let made = 0

/** Does these steps for each message of the person, and ends with a word. */
class Scripted implements Model {
  readonly seen: string[] = []
  readonly #steps: readonly Call[][]
  constructor(steps: readonly Call[][]) {
    this.#steps = steps
  }
  async getResponse({ input }: ModelRequest) {
    this.seen.push(JSON.stringify(input))
    const items = Array.isArray(input) ? input : []
    const turn = items.slice(items.findLastIndex((item) => 'role' in item && item.role === 'user') + 1)
    const calls = turn.filter((item) => item.type === 'function_call')
    let at = 0
    for (let count = 0; count < calls.length; at += 1) count += this.#steps[at]?.length ?? 1
    const step = this.#steps[at] ?? []
    const output = step.map(([name, text, callId = `call-${++made}`]) => ({
      ...{ type: 'function_call' as const, callId, name, arguments: JSON.stringify({ text }) },
      status: 'completed' as const,
    }))
    const done = {
      ...{ type: 'message' as const, role: 'assistant' as const, status: 'completed' as const },
      content: [{ type: 'output_text' as const, text: 'Done.' }],
    }
    return { usage: new Usage(), output: output.length > 0 ? output : [done] }
  }
  // biome-ignore lint/correctness/useYield: nothing here is streamed.
  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error('Nothing is streamed here.')
  }
}

runtimeContract('OpenAI Agents SDK', bench, ({ steps, tools, request }) => {
  const model = new Scripted(steps)
  const spans: string[] = []
  const record = async (span: object) => void spans.push(JSON.stringify(span))
  const none = async () => {}
  setTraceProcessors([
    { onSpanStart: record, onSpanEnd: record, onTraceStart: none, onTraceEnd: none, forceFlush: none, shutdown: none },
  ])
  const runner = new Runner()
  let kept = ''
  let pauses: OpenAiPause[] = []
  const go = (given: string | Record<string, Resume>) =>
    request(async () => {
      const calls = openAiCalls()
      const toolOf = (name: ToolName) =>
        tool({
          ...calls.tool(name, tools[name]),
          ...{ description: name, parameters: z.object({ text: z.string() }) },
        })
      const agent = new Agent({ name: 'assistant', model, tools: [toolOf('send'), toolOf('look'), toolOf('mail')] })
      const resumed = async (answers: Record<string, Resume>) => {
        const state = await RunState.fromString<{ user: string }, typeof agent>(agent, kept)
        await calls.resume(state, answers)
        return runner.run(agent, state)
      }
      const options = { context: { user: 'ada' } }
      const result = await (typeof given === 'string' ? runner.run(agent, given, options) : resumed(given))
      pauses = calls.pauses(result.interruptions)
      kept = result.state.toString()
    })
  return {
    say: go,
    runtime: () => ({
      takes: 'all',
      find: () =>
        pauses.flatMap(({ id, need }) => {
          const read = readNeed(JSON.parse(JSON.stringify(need)))
          return read ? [{ ...read, id }] : []
        }),
      answer: (answers) => go(Object.fromEntries(answers.map((one) => [one.request.id, resumeOf(one)]))),
    }),
    read: () => model.seen.join('\n'),
    kept: () => [kept, ...spans, JSON.stringify(pauses)].join('\n'),
  }
})
