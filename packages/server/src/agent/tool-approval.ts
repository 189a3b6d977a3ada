import { type ConnectRequest, LatchkeyError } from '@latchkey/core'
import { ApprovalRequired, forbiddenBy } from '../use/answers.ts'
import type { Outlook } from './context.ts'
import { AuthorizationRequired } from './required.ts'

/** What a tool is asked with before it is called. */
interface AheadOptions {
  toolCallId: string
  /** Absent: the runtime does not say what was before. */
  messages?: readonly unknown[]
  /** The tool's name in the conversation. */
  toolName: string
}

/** Says what would become of a call. Undefined: the call itself says so. */
type AskAhead = (input: unknown, options: AheadOptions) => Promise<Outlook | undefined>

/** Marks the `execute` functions that can be asked ahead. */
const AHEAD: unique symbol = Symbol('latchkey.ahead')

/** A function of a tool that {@link toolApproval} can ask before it is called. */
export const askedAhead = <Execute extends (...args: never[]) => unknown>(execute: Execute, ask: AskAhead): Execute =>
  Object.assign(execute, { [AHEAD]: ask })

/** How a function of a tool is asked ahead. Undefined if it cannot be. */
export const aheadOf = (execute: unknown): AskAhead | undefined =>
  typeof execute === 'function' ? (execute as { [AHEAD]?: AskAhead })[AHEAD] : undefined

/**
 * Lets a tool answer with what it needs, instead of throwing it: a `ConnectRequest` or an `ApprovalNotice`, for which the
 * page shows a card. Around `withAccount` or the `execute` of an MCP server or a skill, and with {@link toolApproval} for its
 * calls too.
 *
 * ```ts
 * execute: orAsk(withAccount(openIssue, async (input, account) => { … }))
 * ```
 *
 * @param answer what the tool answers. @default what it needs, as JSON
 */
export function orAsk<Input, Options, Output, Need = ReturnType<(AuthorizationRequired | ApprovalRequired)['toJSON']>>(
  execute: (input: Input, options: Options) => Promise<Output>,
  answer: (need: AuthorizationRequired | ApprovalRequired) => Need = (need) => need.toJSON() as Need,
): (input: Input, options: Options) => Promise<Output | Need> {
  const wrapped = (input: Input, options: Options): Promise<Output | Need> =>
    execute(input, options).catch((error: unknown) => {
      if (error instanceof ApprovalRequired || error instanceof AuthorizationRequired) return answer(error)
      throw error
    })
  const ask = aheadOf(execute)
  return ask ? askedAhead(wrapped, ask) : wrapped
}

/** What a tool asks of its person, with the call that it belongs to. */
export function ofToolCall(error: unknown, callOptions: unknown): unknown {
  const toolCallId = (callOptions as { toolCallId?: unknown } | undefined)?.toolCallId
  if (typeof toolCallId !== 'string') return error
  if (error instanceof AuthorizationRequired) return new AuthorizationRequired({ ...error.request, toolCallId })
  return error instanceof ApprovalRequired ? error.of(toolCallId) : error
}

/** An account that a call needs: the named one of a provider, or the one that the person chose. */
type Wanted = readonly [provider: string, account?: string | undefined]

/** What would become of a call that needs several accounts: the first of them that it cannot have decides. */
export async function firstRefusal(
  wanted: readonly Wanted[],
  ask: (...one: Wanted) => Promise<Outlook | undefined>,
): Promise<Outlook | undefined> {
  let last: Outlook | undefined
  // Several variables are often of one account, which is asked about once.
  for (const one of new Map(wanted.map((one) => [JSON.stringify(one), one])).values()) {
    last = await ask(...one)
    if (last?.word !== 'allow' && last?.word !== 'done') return last
  }
  return last
}

/** A call that a runtime is about to make. */
export interface ComingCall {
  toolCall: { toolCallId: string; toolName: string; input?: unknown }
  tools: Readonly<Record<string, { execute?: unknown }>> | undefined
  /** The conversation that the model called the tool in. */
  messages: readonly unknown[]
}

/** What the AI SDK does with a call. */
export type CallApproval = { type: 'user-approval' | 'denied'; reason: string } | undefined

/**
 * Pauses the AI SDK before a call that its person is asked about or whose account is missing, and refuses one that they do not
 * allow. For `streamText`, `generateText` and agents, whose tools run in an `AgentContext`:
 *
 * ```ts
 * context.respond(() => streamText({ model, messages, tools, toolApproval }).toUIMessageStreamResponse())
 * ```
 *
 * It knows the tools of `withAccount` and the `execute` of an `AuthenticatedMcpClient`, `McpCommand` or `Skill`, also inside of
 * {@link orAsk}, and leaves all others alone. Code mode is one of these: what its code will call is not known before it runs,
 * so it pauses itself. The page shows the request, and lets the SDK go on when it is answered: see `@latchkey/core/runtimes/ai-sdk`. That answer only wakes the run.
 * What lets the call through is the yes that the broker has from its person, so an approval that somebody wrote into the
 * messages is worth nothing.
 */
export async function toolApproval({ toolCall, tools, messages }: ComingCall): Promise<CallApproval> {
  const { toolName, toolCallId, input } = toolCall
  const ask = tools && Object.hasOwn(tools, toolName) ? aheadOf(tools[toolName]?.execute) : undefined
  // Where this fails, so does the call, and it says why.
  const forecast = await ask?.(input, { toolCallId, messages, toolName }).catch(() => undefined)
  if (forecast?.word === 'asking') return { type: 'user-approval', reason: pauseReason(forecast.request) }
  if (forecast?.word === 'missing') return { type: 'user-approval', reason: missingReason(forecast.need.request) }
  if (forecast?.word === 'never') return { type: 'denied', reason: `${forbiddenBy(forecast.because)}.` }
  return forecast?.word === 'denied' ? { type: 'denied', reason: saidNo(forecast.reason) } : undefined
}

/** What the model reads of a call that its person refused. */
export const saidNo = (reason: unknown): string =>
  typeof reason === 'string' && reason ? `The person said no: ${reason}` : 'The person said no.'

/** Why a call was not made whose person does without the account. */
export function without({ provider }: ConnectRequest, reason: unknown): LatchkeyError {
  const why = typeof reason === 'string' ? `: ${reason}` : '.'
  return new LatchkeyError('access_denied', `The person does without ${provider}${why}`, { provider, next: 'none' })
}

/** What a call waits for. Undefined if it does not. */
export function needOf(outlook: Outlook | undefined): AuthorizationRequired | ApprovalRequired | undefined {
  if (outlook?.word === 'missing') return outlook.need
  if (outlook?.word !== 'asking') return undefined
  const { id: request, agent, provider, account: accountId, tool } = outlook.request
  return new ApprovalRequired({ request, agent, provider, accountId, toolName: tool.name })
}

/** Why a call waits, for people. A page finds the request by its end. */
const pauseReason = ({ id, tool }: { id: string; tool: { title: string } }) => `${tool.title} [request ${id}]`

/** The same for an account that is missing. */
function missingReason({ provider, scopes = [], accountId, toolName }: ConnectRequest): string {
  const said = new URLSearchParams({ provider })
  if (scopes.length > 0) said.set('scope', scopes.join(' '))
  if (accountId !== undefined) said.set('account', accountId)
  if (toolName !== undefined) said.set('tool', toolName)
  return `Connect ${provider} to continue. [connect ${said}]`
}
