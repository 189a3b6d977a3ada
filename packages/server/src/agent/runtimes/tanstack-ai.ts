import { isObject } from '@latchkey/core/server'
import { aheadOf, needOf, saidNo, without } from '../tool-approval.ts'
import type { PauseNeed } from './pause.ts'

/** A tool of a chat, as far as it is read. */
interface ChatTool {
  name: string
  /** A Standard Schema, or JSON Schema. */
  inputSchema?: unknown
  execute?: unknown
}

/** A message of a chat, as far as it is read. */
interface ChatMessage {
  role: string
  toolCalls?: readonly ToolCall[]
  /** The call whose answer it is. */
  toolCallId?: string
}

interface ToolCall {
  id: string
  function: { name: string; arguments: string }
}

/** What TanStack AI calls the hooks of a middleware with: the same object for all of a run. */
interface RunContext {
  phase: string
  messages: readonly ChatMessage[]
}

/** What `defineInterrupt` of TanStack AI returns, as far as it is needed. */
interface Definition {
  interrupt(input: { key: string; reason: string; message: string; payload: PauseNeed }): unknown
}

/** What a page has answered. `response` is a `Resume` of `@latchkey/core/runtimes/requests`, if its page is one of ours. */
interface Answered {
  /** `key` is the id of the call that has waited. */
  request: { key: string }
  status: 'resolved' | 'cancelled'
  response?: unknown
}

/** The middleware of TanStack AI that {@link pauseFor} makes. */
export interface PauseMiddleware<Interrupt> {
  name: string
  onConfig(context: RunContext, config: { tools: readonly ChatTool[] }): undefined
  onInterruptResolution(
    context: RunContext,
    answers: { for(definition: never): readonly Answered[] },
  ): Promise<undefined>
  onInterruptBoundary(context: RunContext): Promise<{ interrupts: Interrupt[] } | undefined>
  onBeforeToolCall(
    context: RunContext,
    call: { toolCallId: string },
  ): { type: 'skip'; result: { error: string } } | undefined
}

/** A Standard Schema that has its JSON Schema, for all that a tool may need. */
export interface NeedSchema {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: PauseNeed; readonly output: PauseNeed }
    validate(value: unknown): { value: PauseNeed }
    jsonSchema: { input(): Record<string, unknown>; output(): Record<string, unknown> }
  }
}

const object = () => ({ type: 'object' })

/** What `defineInterrupt` of TanStack AI defines for {@link pauseFor}: an interrupt whose payload is what a tool needs. */
export const toolNeeds: { readonly id: 'connected-accounts'; readonly payloadSchema: NeedSchema } = {
  id: 'connected-accounts',
  payloadSchema: {
    '~standard': {
      version: 1,
      vendor: 'latchkey',
      // The page that answers sends it back. Of that only the id of the call is read, which is no part of it.
      validate: (value) => ({ value: value as PauseNeed }),
      jsonSchema: { input: object, output: object },
    },
  },
}

/** What is known of a run. */
interface Run {
  tools: ReadonlyMap<string, ChatTool>
  /** Why a person does without a call, by its id. */
  declined: Map<string, unknown>
  /** What the model reads instead of the answer of a call, by its id. */
  refused: Map<string, string>
}

/**
 * Pauses a chat of TanStack AI before a call that its person is asked about, or whose account is missing, by TanStack's own
 * interrupts. It knows the tools of `withAccount` and the `execute` of an MCP server or a skill, and leaves all others alone.
 *
 * ```ts
 * const needs = defineInterrupt(toolNeeds)
 * const createIssue = definition.server(withAccount(declared, async (input, account) => { … }))
 *
 * context.respond(() =>
 *   toServerSentEventsResponse(chat({ ...params, adapter, tools: [createIssue], interrupts: [needs], middleware: [pauseFor(needs)] })),
 * )
 * ```
 *
 * Without `needsApproval`, which asks about every call. The page shows what waits with `tanStackAi` of
 * `@latchkey/core/runtimes/tanstack-ai`. Its answer only wakes the run: the call is made by the yes that the broker has.
 *
 * @param definition of {@link toolNeeds}
 */
export function pauseFor<Needs extends Definition>(definition: Needs): PauseMiddleware<ReturnType<Needs['interrupt']>> {
  const runs = new WeakMap<RunContext, Run>()
  return {
    name: 'latchkey',
    onConfig(context, { tools }) {
      const { declined, refused } = runs.get(context) ?? { declined: new Map(), refused: new Map() }
      runs.set(context, { tools: new Map(tools.map((tool) => [tool.name, tool])), declined, refused })
    },
    async onInterruptResolution(context, answers) {
      for (const { request, status, response } of answers.for(definition as never)) {
        const { approved, reason }: Record<string, unknown> = isObject(response) ? response : {}
        if (status === 'cancelled' || approved === false) runs.get(context)?.declined.set(request.key, reason)
      }
    },
    async onInterruptBoundary(context) {
      const run = runs.get(context)
      if (!run || context.phase !== 'beforeTools') return undefined
      const interrupts: ReturnType<Needs['interrupt']>[] = []
      for (const call of waitingIn(context.messages)) {
        const error = needOf(await outlookOf(call, run.tools.get(call.function.name)))
        if (!error) continue
        const need = error.toJSON()
        if (run.declined.has(call.id)) {
          run.refused.set(call.id, refusalOf(need, run.declined.get(call.id)))
          continue
        }
        const reason = `connected-accounts:${need.type}`
        const payload = { ...need, toolCallId: call.id }
        interrupts.push(
          definition.interrupt({
            key: call.id,
            reason,
            message: error.message,
            payload,
          }) as (typeof interrupts)[number],
        )
      }
      return interrupts.length > 0 ? { interrupts } : undefined
    },
    onBeforeToolCall(context, { toolCallId }) {
      const error = runs.get(context)?.refused.get(toolCallId)
      return error === undefined ? undefined : { type: 'skip', result: { error } }
    },
  }
}

/** The calls that have no answer yet. */
function waitingIn(messages: readonly ChatMessage[]): ToolCall[] {
  const answered = new Set(messages.map(({ toolCallId }) => toolCallId))
  return messages.flatMap(({ toolCalls = [] }) => toolCalls.filter(({ id }) => !answered.has(id)))
}

/** What would become of a call. Undefined where the call itself says so. */
async function outlookOf({ id, function: { name, arguments: text } }: ToolCall, tool: ChatTool | undefined) {
  const ask = aheadOf(tool?.execute)
  // Where this fails, so does the call, and it says why.
  return (
    ask &&
    inputOf(text, tool?.inputSchema)
      .then((input) => ask(input, { toolCallId: id, toolName: name }))
      .catch(() => undefined)
  )
}

/** The input as TanStack makes it of what the model wrote: it is what the person is asked about. */
async function inputOf(text: string, schema: unknown): Promise<unknown> {
  const written: unknown = JSON.parse(text.trim() || '{}')
  const input = isObject(written) || Array.isArray(written) ? written : {}
  const standard = isObject(schema) ? schema['~standard'] : undefined
  if (!isObject(standard) || typeof standard.validate !== 'function') return input
  const { issues, value } = await standard.validate(input)
  if (issues) throw new TypeError('The input is not what the tool takes.')
  return value
}

const refusalOf = (need: PauseNeed, reason: unknown): string =>
  need.type === 'authorization_required' ? without(need, reason).message : saidNo(reason)
