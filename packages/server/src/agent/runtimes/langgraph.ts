import { isObject } from '@latchkey/core/server'
import { orPause, type PauseNeed } from './pause.ts'

/** What LangGraph's `ToolNode` calls a tool with, as far as it is read. */
interface ToolRuntime {
  toolCallId?: string
  /** The state of the graph, or its messages. */
  state?: unknown
}

/**
 * Pauses a graph of LangGraph where a tool needs something of its person, by LangGraph's own `interrupt`. For tools of its
 * `ToolNode`, in a graph that has a checkpointer:
 *
 * ```ts
 * import { interrupt } from '@langchain/langgraph'
 *
 * const createIssue = tool(orInterrupt(withAccount(declared, async (input, account) => { … }), interrupt), { name, schema })
 * const result = await context.run(() => graph.invoke(input, { configurable: { thread_id } }))
 * ```
 *
 * LangGraph begins a node again when it is resumed. What was done in it before is not done twice: for that, pass `run` to
 * `broker.agentContext`, the same for all requests of a turn. The page shows what waits with `langGraph` of
 * `@latchkey/core/runtimes/langgraph`, and resumes it.
 *
 * @param execute the function that `withAccount` returns, or the `execute` of an MCP server or a skill
 * @param interrupt of `@langchain/langgraph`
 */
export function orInterrupt<Input, Output>(
  execute: (input: Input, options: { toolCallId?: string; messages: readonly unknown[] }) => Promise<Output>,
  interrupt: (need: PauseNeed) => unknown,
): (input: Input, runtime: ToolRuntime) => Promise<Output> {
  const paused = orPause(execute, interrupt)
  return (input, { toolCallId, state }) =>
    paused(input, { ...(toolCallId !== undefined && { toolCallId }), messages: messagesIn(state) })
}

/** The conversation as the AI SDK has it: it tells equal calls of a turn apart. */
function messagesIn(state: unknown): unknown[] {
  const messages = isObject(state) ? state.messages : state
  return (Array.isArray(messages) ? messages : []).map((message: unknown) => {
    const { type, tool_calls, tool_call_id, status, content, name }: Record<string, unknown> = isObject(message)
      ? message
      : {}
    if (type === 'human') return { role: 'user' }
    if (type === 'ai') {
      const calls = (Array.isArray(tool_calls) ? tool_calls : []).filter(isObject)
      return {
        role: 'assistant',
        content: calls.map((call) => ({
          ...{ type: 'tool-call', toolCallId: call.id, toolName: call.name, input: call.args },
        })),
      }
    }
    const output = { type: status === 'error' ? 'error-text' : 'text', value: content }
    return type === 'tool'
      ? { role: 'tool', content: [{ type: 'tool-result', toolCallId: tool_call_id, toolName: name, output }] }
      : { role: 'system' }
  })
}
