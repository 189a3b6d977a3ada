import { LatchkeyError } from '@latchkey/core'
import { aheadOf, needOf, saidNo } from '../tool-approval.ts'
import { isNeed, type PauseNeed } from './pause.ts'

/** What a run of the OpenAI Agents SDK was paused with, for its page. */
export interface OpenAiPause {
  /** The SDK's id of the call. */
  id: string
  need: PauseNeed
}

/** A function that `withAccount` returns, or the `execute` of an MCP server or a skill. */
type Execute<Input, Output> = (input: Input, options: { toolCallId: string }) => Promise<Output>

interface FunctionCall {
  callId?: string
}

/** A call before which the SDK has paused. */
interface Interruption {
  rawItem: object
}

/** The state of a run, as far as it is needed. */
interface RunState {
  getInterruptions(): readonly Interruption[]
  approve(item: never): void
  reject(item: never, options?: { message?: string }): void
}

/** What the page says of a pause. @see `Resume` of `@latchkey/core/runtimes/requests` */
interface Answer {
  approved: boolean
  reason?: string
}

/** The calls of one request of a run: see {@link openAiCalls}. */
export interface OpenAiCalls {
  /** Options of the SDK's `tool()`: it pauses where its person is asked first, or an account is missing. */
  tool<Input, Output>(
    name: string,
    execute: Execute<Input, Output>,
  ): {
    name: string
    execute(input: Input, context?: unknown, details?: { toolCall?: FunctionCall }): Promise<Output>
    needsApproval(context: unknown, input: Input, callId?: string): Promise<boolean>
    /** What the model reads: why a call was not made. */
    errorFunction(context: unknown, error: unknown): string
  }
  /** What the interruptions of a result wait for. It has no secret, and no argument of a call. */
  pauses(interruptions: readonly Interruption[]): OpenAiPause[]
  /**
   * Tells a state what its person has answered, by the ids of the pauses. What is not answered, or still waits for something,
   * pauses the run again. Call it in the context of the request.
   */
  resume(state: RunState, answers: Readonly<Record<string, Answer>>): Promise<void>
}

/**
 * Pauses a run of the OpenAI Agents SDK before a call that its person is asked about, or whose account is missing. Make it for each
 * request, and the agent's tools with it:
 *
 * ```ts
 * const calls = openAiCalls()
 * const send = tool({ ...calls.tool('send', withAccount(declared, async (input, account) => { … })), description, parameters })
 * const result = await context.run(() => run(agent, input))
 * return { pauses: calls.pauses(result.interruptions), state: result.state.toString() }
 * ```
 *
 * When the page has the answers, `await calls.resume(state, answers)` and `run(agent, state)` go on. The state has what you pass as the SDK's
 * `context`: pass ids, never a token. An answer only wakes the run: the call is made by the yes that the broker has.
 */
export function openAiCalls(): OpenAiCalls {
  const needs = new Map<string, PauseNeed>()
  const tools = new Map<string, Execute<never, unknown>>()
  /** What a call waits for now. */
  const ask = async (toolName: string, input: unknown, toolCallId: string): Promise<PauseNeed | undefined> => {
    const ahead = aheadOf(tools.get(toolName))
    // Where this fails, so does the call, and it says why.
    const outlook = await ahead?.(input, { toolCallId, toolName }).catch(() => undefined)
    const need = needOf(outlook)?.toJSON()
    if (need) needs.set(toolCallId, { ...need, toolCallId })
    else needs.delete(toolCallId)
    return need
  }
  return {
    tool(name, execute) {
      tools.set(name, execute)
      return {
        name,
        execute: async (input, _context, { toolCall } = {}) => execute(input, { toolCallId: toolCall?.callId ?? '' }),
        needsApproval: async (_context, input, toolCallId = '') => (await ask(name, input, toolCallId)) !== undefined,
        errorFunction: (_context, error) => (isTold(error) ? error.message : 'The tool failed.'),
      }
    },
    pauses: (interruptions) =>
      interruptions.flatMap((item) => {
        const id = idOf(item)
        const need = needs.get(id)
        return need ? [{ id, need }] : []
      }),
    async resume(state, answers) {
      for (const item of state.getInterruptions()) {
        const id = idOf(item)
        const answer = Object.hasOwn(answers, id) ? answers[id] : undefined
        if (answer?.approved) {
          const { name, arguments: text } = item.rawItem as { name?: string; arguments?: string }
          // An account that came may be one that its person is asked about.
          if (!(await ask(`${name}`, inputOf(text), id))) state.approve(item as never)
        } else if (answer) state.reject(item as never, { message: saidNo(answer.reason) })
      }
    },
  }
}

/** Whether an error's message is for the model. */
const isTold = (error: unknown): error is Error => isNeed(error) || error instanceof LatchkeyError

const idOf = ({ rawItem }: Interruption): string => ('callId' in rawItem ? `${rawItem.callId}` : '')

function inputOf(text: unknown): unknown {
  try {
    return JSON.parse(`${text}`)
  } catch {
    return text
  }
}
