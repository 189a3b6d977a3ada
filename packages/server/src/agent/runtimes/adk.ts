import { isObject } from '@latchkey/core/server'
import { answeredBy, isNeed, orPause, type Pause } from './pause.ts'

interface FunctionCall {
  id?: string
  name?: string
  args?: Record<string, unknown>
}

/** What ADK calls its callbacks with, as far as it is read. */
interface CallbackContext {
  invocationContext: {
    session: { events: readonly { content?: { parts?: readonly { functionCall?: FunctionCall }[] } }[] }
  }
}

/** What ADK calls a tool with, as far as it is read. */
interface ToolContext extends CallbackContext {
  functionCallId?: string
  /** What the page has answered. */
  toolConfirmation?: { confirmed: boolean; payload?: unknown }
  requestConfirmation(request: { hint?: string; payload?: unknown }): void
}

/** Ends the id of a call that is made again. */
const AGAIN = '~again'

/** Calls that are to be made again, by their invocation. */
const waiting = new WeakMap<object, string[]>()

/**
 * Pauses an agent of Google's ADK where a tool needs something of its person, by ADK's own request for a confirmation. Options of its
 * `FunctionTool`, for an agent with {@link callAgain}:
 *
 * ```ts
 * const send = new FunctionTool({ ...orConfirm(withAccount(declared, async (input, account) => { … })), name, description, parameters })
 * const agent = new LlmAgent({ name, model, tools: [send], beforeModelCallback: callAgain })
 * ```
 *
 * The page shows it with `adk` of `@latchkey/core/runtimes/adk`. Its answer only wakes the tool: the call is made by the yes that the broker
 * has. ADK's `requestCredential` is not used: it is answered with a credential, which ADK writes into the state of the session, and it
 * knows no *no*.
 *
 * @param execute the function that `withAccount` returns, or the `execute` of an MCP server or a skill
 */
export const orConfirm = <Input, Output>(
  execute: (input: Input, options: { toolCallId?: string }) => Promise<Output>,
): {
  execute(input: Input, context?: ToolContext): Promise<Output | { waits: string }>
  requireConfirmation(input: Input, context?: ToolContext): boolean
} => ({
  async execute(input, context) {
    const { functionCallId: id = '', toolConfirmation } = context ?? {}
    const said = saidIn(toolConfirmation)
    let isRefused = false
    const paused = orPause(execute, (need, options) => {
      const answer = said(need, options)
      isRefused = isObject(answer) && answer.approved === false
      return answer
    })
    try {
      return await paused(input, id ? { toolCallId: id.replaceAll(AGAIN, '') } : {})
    } catch (error) {
      if (!context || isRefused || !isNeed(error)) throw error
      if (canAsk(context)) context.requestConfirmation({ hint: error.message, payload: error.toJSON() })
      else waiting.set(context.invocationContext, [...(waiting.get(context.invocationContext) ?? []), id])
      return { waits: error.message }
    }
  },
  // ADK takes an answer only of a tool that says so here. By itself it would ask without saying what for.
  requireConfirmation: (_input, context) => !context?.toolConfirmation && isAsked(context),
})

/**
 * Makes a call again that waits and that ADK cannot ask about where it stands. It asks about none that goes on after an answer, as when
 * an account came that its person is asked about, and where it asks about one of several calls of a step, it forgets what the others have
 * answered. The `beforeModelCallback` of an agent whose tools are of {@link orConfirm}.
 *
 * @returns the calls, as if the model had made them. Undefined: the model is asked.
 */
export function callAgain({
  context: { invocationContext },
}: {
  context: CallbackContext
}): { content: { role: string; parts: { functionCall: FunctionCall }[] } } | undefined {
  const ids = waiting.get(invocationContext) ?? []
  waiting.delete(invocationContext)
  const parts = ids.flatMap((id) => {
    const call = stepOf(invocationContext, id).find((one) => one.id === id)
    return call ? [{ functionCall: { ...call, id: `${id}${AGAIN}` } }] : []
  })
  return parts.length > 0 ? { content: { role: 'model', parts } } : undefined
}

/** Another page than ours says yes or no alone. */
function saidIn(confirmation: ToolContext['toolConfirmation']): Pause<unknown> {
  if (!confirmation) return () => undefined
  const { confirmed: approved, payload } = confirmation
  if (isObject(payload) && typeof payload.of === 'string') return answeredBy([{ ...payload, approved }])
  return () => (approved ? undefined : { approved })
}

/** Whether ADK asks about a call, and forgets nothing. */
const canAsk = ({ invocationContext, functionCallId = '', toolConfirmation }: ToolContext): boolean =>
  !toolConfirmation && (functionCallId.endsWith(AGAIN) || stepOf(invocationContext, functionCallId).length === 1)

/** The calls of the step of a call. */
const stepOf = ({ session }: CallbackContext['invocationContext'], id: string): FunctionCall[] =>
  session.events.map(callsOf).findLast((calls) => calls.some((call) => call.id === id)) ?? []

/** Whether the person was asked about a call. */
const isAsked = (context: ToolContext | undefined): boolean =>
  context?.invocationContext.session.events.flatMap(callsOf).some(({ name, args }) => {
    const call = name === 'adk_request_confirmation' ? args?.originalFunctionCall : undefined
    return isObject(call) && call.id === context.functionCallId
  }) ?? false

const callsOf = ({ content }: CallbackContext['invocationContext']['session']['events'][number]): FunctionCall[] =>
  content?.parts?.flatMap(({ functionCall }) => functionCall ?? []) ?? []
