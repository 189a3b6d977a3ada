// A real graph of LangGraph with a scripted model, over a real broker, vault and API.
import { BaseCallbackHandler } from '@langchain/core/callbacks/base'
import { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { AIMessage, type BaseMessage, HumanMessage } from '@langchain/core/messages'
import type { ChatResult } from '@langchain/core/outputs'
import { tool } from '@langchain/core/tools'
import { Command, interrupt, MemorySaver } from '@langchain/langgraph'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import { langGraph } from '@latchkey/core/runtimes/langgraph'
import { z } from 'zod'
import { openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { orInterrupt } from './langgraph.ts'

const bench = await openBench()

let calls = 0

/** Does these steps for each message of the person, and ends with a word. */
class Scripted extends BaseChatModel {
  readonly seen: BaseMessage[][] = []
  readonly #steps: readonly Call[][]
  constructor(steps: readonly Call[][]) {
    super({})
    this.#steps = steps
  }
  override _llmType() {
    return 'scripted'
  }
  override bindTools() {
    return this
  }
  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    this.seen.push(messages)
    const turn = messages.slice(messages.findLastIndex((message) => message.type === 'human') + 1)
    const at = turn.filter((message) => message.type === 'ai').length
    const tool_calls = (this.#steps[at] ?? []).map(([name, text, id = `call-${++calls}`]) => {
      return { name, id, args: { text }, type: 'tool_call' as const }
    })
    const message = new AIMessage({ content: tool_calls.length > 0 ? '' : 'Done.', tool_calls })
    return { generations: [{ text: '', message }] }
  }
}

const textsIn = (value: unknown): string =>
  value instanceof Uint8Array
    ? new TextDecoder().decode(value)
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flat().map(textsIn).join(' ')
      : String(value)

runtimeContract('LangGraph', bench, ({ steps, tools, request }) => {
  const model = new Scripted(steps)
  const checkpointer = new MemorySaver()
  const toolOf = (name: ToolName) =>
    tool(orInterrupt(tools[name], interrupt), { name, description: name, schema: z.object({ text: z.string() }) })
  const agent = createReactAgent({
    ...{ llm: model, checkpointer },
    tools: [toolOf('send'), toolOf('look'), toolOf('mail')],
  })
  const seen: string[] = []
  // What a tracer is told, and what it is told it with.
  const callbacks = [
    BaseCallbackHandler.fromMethods({
      handleChainStart: (...told) => void seen.push(textsIn(told)),
      handleToolStart: (...told) => void seen.push(textsIn(told)),
      handleToolEnd: (...told) => void seen.push(textsIn(told)),
    }),
  ]
  const config = { configurable: { thread_id: 'c1' }, callbacks }
  const invoke = (input: unknown) => request(() => agent.invoke(input as never, config))
  return {
    say: (text) => invoke({ messages: [new HumanMessage(text)] }),
    // As `useStream` gives it.
    runtime: async () =>
      langGraph({
        interrupts: (await agent.getState(config)).tasks.flatMap((task) => task.interrupts),
        respondAll: (responses) => invoke(new Command({ resume: responses })),
      }),
    read: () => JSON.stringify(model.seen),
    kept: () => textsIn([checkpointer.storage, checkpointer.writes, seen]),
  }
})
