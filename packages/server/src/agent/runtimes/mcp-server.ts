import { needPage } from '@latchkey/core/runtimes/need-page'
import { isObject } from '@latchkey/core/server'
import type { AgentContext } from '../context.ts'
import { answeredBy, isNeed, orPause, type PauseNeed, subjectOf } from './pause.ts'

/** What a client is asked with at 2025-11-25. */
export interface UrlElicitation {
  mode: 'url'
  message: string
  url: string
  elicitationId: string
}

/** What is signed into `requestState`. Its client can read it. */
export interface McpState {
  /** Tells equal calls apart. */
  call: string
  /** What was asked for: the id of a request, or of a provider. */
  of: string
}

/** How a tool asks the person of an MCP client. `Extra` is what the SDK calls a tool with. */
export interface ElicitOptions<Extra> {
  /** The app's own page for what a tool needs: see `readNeedPage` of `@latchkey/core/runtimes/need-page`. */
  page: string
  /** The accounts of the person that the call is for, as its access token says. It is called for each try, since an account may come. */
  context(extra: Extra): Promise<Pick<AgentContext, 'run'>>
  /** `UrlElicitationRequiredError` of the SDK, for clients of 2025-11-25. */
  UrlElicitationRequiredError: new (
    elicitations: UrlElicitation[],
  ) => Error
}

/** The SDK's `inputRequired`. */
export interface InputRequired<Asked, Request> {
  (spec: { inputRequests: Record<string, Request>; requestState: string }): Asked
  elicitUrl(params: { message: string; url: string }): Request
}

/** How a tool asks clients of 2026-07-28, too. */
export interface InputRequiredOptions<Extra, Asked, Request> extends ElicitOptions<Extra> {
  /** `inputRequired` of the SDK. */
  inputRequired: InputRequired<Asked, Request>
  /** `mint` of the SDK's `createRequestStateCodec`. Its `verify` is an option of the server; bind it to the person. */
  mint(state: McpState, extra?: Extra): Promise<string>
  /**
   * How long a call waits for the person, after they have opened the page, until it asks again. In milliseconds. Clients give up after a
   * minute.
   *
   * @default 45_000
   */
  patience?: number
}

/** What a client without elicitation gets: words for its model, and the need for one that has a card for it. */
export interface McpUnmet {
  content: { type: 'text'; text: string }[]
  isError: true
  _meta: { 'latchkey/need': PauseNeed }
  /** As the SDK has its results. */
  [other: string]: unknown
}

/** A function that `withAccount` returns, or the `execute` of an MCP server or a skill. */
type Execute<Input, Output> = (input: Input, options: { toolCallId?: string }) => Promise<Output>

/** Milliseconds between two looks for an answer. */
const PACE = 1000

/**
 * Asks for what a tool needs by MCP's error -32042, which says the address of the app's own page. For tools of an `McpServer` of
 * `@modelcontextprotocol/sdk`, and of a server without sessions:
 *
 * ```ts
 * server.registerTool('send', { inputSchema }, orUrlError(withAccount(declared, send), { page, context, UrlElicitationRequiredError }))
 * ```
 *
 * The client shows the page, and makes the call again: it is made by the answer that the broker has. Equal calls of a turn are told apart by
 * `_meta['latchkey/call']`, where the client sends the id of its model's call.
 *
 * @param execute the function that `withAccount` returns, with a tool's result
 * @see MCP 2025-11-25 "URL Elicitation Required Error"
 */
export const orUrlError =
  <Input, Extra extends object, Output>(execute: Execute<Input, Output>, options: ElicitOptions<Extra>) =>
  async (input: Input, extra: Extra): Promise<Output> => {
    const id = callIn(extra).id
    const once = async () => (await options.context(extra)).run(() => execute(input, idOf(id)))
    return once().catch((error: unknown) => {
      throw isNeed(error) ? errorOf(error.toJSON(), options) : error
    })
  }

/**
 * Asks for what a tool needs by URL elicitation, at the app's own page: by a result that wants input where the client speaks MCP 2026-07-28, and
 * else as {@link orUrlError} does. For tools of an `McpServer` of `@modelcontextprotocol/server`:
 *
 * ```ts
 * const { mint, verify } = createRequestStateCodec<McpState>({ key, bind: ({ http }) => personOf(http?.authInfo) })
 * const server = new McpServer(info, { requestState: { verify } })
 * const options = { page, context, mint, inputRequired, UrlElicitationRequiredError }
 * server.registerTool('send', { inputSchema }, orElicit(withAccount(declared, send), options))
 * ```
 *
 * That a client accepts says that its person opened the page, so the call waits until they have answered there, and is made once, by the
 * answer that the broker has. A client that cannot open pages gets the address in words.
 *
 * @param execute the function that `withAccount` returns, with a tool's result
 * @see MCP 2026-07-28 "Elicitation", "Multi Round-Trip Requests"
 */
export const orElicit =
  <Input, Extra extends object, Output, Asked, Request>(
    execute: Execute<Input, Output>,
    options: InputRequiredOptions<Extra, Asked, Request>,
  ) =>
  async (input: Input, extra: Extra): Promise<Output | Asked | McpUnmet> => {
    const call = callIn(extra)
    if (!call.isModern) return orUrlError(execute, options)(input, extra)
    const { page, mint, inputRequired, patience = 45_000 } = options
    const { state, action } = call
    // One that cannot bring it back would ask of a new call with each try.
    const fresh = call.canOpen ? crypto.randomUUID() : undefined
    const id = call.id ?? state?.call ?? fresh
    const answers = state && action ? [{ of: state.of, approved: action === 'accept' }] : []
    const attempt = orPause(execute, answeredBy(answers), () => options.context(extra))
    const until = Date.now() + patience
    for (;;) {
      try {
        return await attempt(input, idOf(id))
      } catch (error) {
        if (!isNeed(error)) throw error
        const need = error.toJSON()
        const isAnswered = action !== undefined && state?.of === subjectOf(need)
        if (isAnswered && action !== 'accept') throw error
        if (!isAnswered || Date.now() >= until || call.signal?.aborted) {
          if (!call.canOpen || id === undefined) return unmet(need, page)
          const { message, url } = elicitationOf(need, page)
          return inputRequired({
            inputRequests: { need: inputRequired.elicitUrl({ message, url }) },
            requestState: await mint({ call: id, of: subjectOf(need) }, extra),
          })
        }
        await new Promise((resolve) => setTimeout(resolve, PACE))
      }
    }
  }

/** What is read of what an SDK calls a tool with: 1.x has members that 2.x has in `mcpReq`. */
function callIn(extra: object) {
  const request = memberOf(extra, 'mcpReq') ?? (extra as Record<string, unknown>)
  const envelope = memberOf(request, 'envelope')
  const can = memberOf(memberOf(envelope, 'io.modelcontextprotocol/clientCapabilities'), 'elicitation')
  const id = memberOf(request, '_meta')?.['latchkey/call']
  const read = request.requestState
  return {
    /** Whether the client speaks 2026-07-28. */
    isModern: envelope !== undefined,
    canOpen: isObject(can?.url),
    id: typeof id === 'string' && id.length <= 128 ? id : undefined,
    state: stateOf(typeof read === 'function' ? read.call(request) : undefined),
    action: actionOf(memberOf(memberOf(request, 'inputResponses'), 'need')?.action),
    signal: request.signal instanceof AbortSignal ? request.signal : undefined,
  }
}

const memberOf = (value: unknown, name: string): Record<string, unknown> | undefined => {
  const member = isObject(value) ? value[name] : undefined
  return isObject(member) ? member : undefined
}

/** What the server has verified. */
const stateOf = (value: unknown): McpState | undefined =>
  isObject(value) && typeof value.call === 'string' && typeof value.of === 'string'
    ? { call: value.call, of: value.of }
    : undefined

const actionOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const idOf = (toolCallId: string | undefined) => (toolCallId === undefined ? {} : { toolCallId })

const elicitationOf = (need: PauseNeed, page: string): UrlElicitation => ({
  mode: 'url',
  message: need.type === 'approval_required' ? `Say whether this may be done: ${need.toolName}.` : `${need.message}`,
  url: needPage(page, need),
  elicitationId: crypto.randomUUID(),
})

const errorOf = <Extra>(need: PauseNeed, { page, UrlElicitationRequiredError }: ElicitOptions<Extra>): Error =>
  new UrlElicitationRequiredError([elicitationOf(need, page)])

const unmet = (need: PauseNeed, page: string): McpUnmet => ({
  content: [{ type: 'text', text: `${need.message} The person can do it at ${needPage(page, need)}` }],
  isError: true,
  _meta: { 'latchkey/need': need },
})
