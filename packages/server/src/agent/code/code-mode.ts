import { randomInt, randomUUID } from 'node:crypto'
import { type ConnectRequest, readConnectRequest } from '@latchkey/core'
import type { AllowRule } from '../../outbound/allow-rules.ts'
import { createRedactor } from '../../outbound/redact/redactor.ts'
import { secretsOf } from '../../outbound/redact/secrets.ts'
import { createAccountFetch, type OnUse, type UsedAccount } from '../account-fetch.ts'
import { AgentContext } from '../context.ts'
import { AuthorizationRequired } from '../identities.ts'
import { signedContinuations, storedContinuations } from './continuations.ts'
import { type CallOutcome, type CodeLimits, runProgram, toJson } from './sandbox.ts'

/** A tool that code can call as `tools.name(input)`: one of the AI SDK, or anything of this shape. */
export interface CodeTool {
  // biome-ignore lint/suspicious/noExplicitAny: tools of every input and output fit.
  execute?: ((input: any, options: any) => unknown) | undefined
  /** Checked before the tool runs, since no model wrote this input: a Standard Schema, or one of the AI SDK. */
  inputSchema?: unknown
}

/** Options of {@link createCodeMode}. */
export interface CodeModeOptions {
  /** What the code can call, beside `fetch`. */
  tools?: Readonly<Record<string, CodeTool>>
  /**
   * What `fetch` in the code reaches: APIs of these providers, with the person's accounts.
   *
   * @default [], so `fetch` reaches nothing
   */
  rules?: readonly AllowRule[]
  /** Told of every use of an account by `fetch`, of every call that was refused and every account that was missing. */
  onUse?: OnUse
  limits?: CodeLimits
  /**
   * Signs paused runs, so that any process with this secret (32 bytes or more) can resume them; their results so far
   * travel inside.
   *
   * @default undefined: they stay in this process, and each can be resumed once, within the hour
   */
  continuationSecret?: string | Uint8Array
  /**
   * Used by `fetch` in the code.
   *
   * @default globalThis.fetch
   */
  fetch?: typeof globalThis.fetch
}

/** One run of {@link CodeMode.run}. */
export interface CodeRun {
  /** JavaScript or TypeScript, the body of an async function: it may `await` and should `return`. */
  source: string
  /** Of a paused run of the same source and person, to go on with it. */
  continuation?: string
  /** When resuming: providers whose account the person declined to connect. The code sees an error. */
  declined?: readonly string[]
  abortSignal?: AbortSignal
}

/** What the code wrote to `console`, oldest first. */
type Logs = string[]

/** The outcome of a run that did not fail. */
export type CodeResult =
  | { status: 'completed'; value: unknown; logs: Logs; accounts: UsedAccount[] }
  /** Accounts are missing. Once they are there, `run` with this continuation goes on where it stopped. */
  | { status: 'paused'; requests: [ConnectRequest, ...ConnectRequest[]]; continuation: string }

/** Runs code that a model wrote. Made by {@link createCodeMode}. */
export interface CodeMode {
  /**
   * Runs code on behalf of the present context, in a QuickJS sandbox: no process, no files, no modules, no network but
   * `fetch` under the rules, and no token. What goes in and out is JSON.
   *
   * It is run in a thread of its own. A paused run is run again from its start, with the answers that it had: no tool is
   * called twice, and `Date` and `Math.random` say what they said before.
   *
   * @throws Error with the words of what the code threw, of a limit it hit, or of a continuation that is not its own.
   */
  run(run: CodeRun): Promise<CodeResult>
}

const LIMITS = { timeoutMs: 30_000, memoryLimitBytes: 64 * 1024 * 1024, maxResultBytes: 1024 * 1024, maxCalls: 256 }
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** Lets a model write code that composes tools and calls APIs with the person's accounts. Made once per app. */
export function createCodeMode(options: CodeModeOptions = {}): CodeMode {
  const { tools = {}, rules = [], onUse, limits, continuationSecret } = options
  const providers = rules.map(({ provider }) => provider)
  const continuations = continuationSecret ? signedContinuations(continuationSecret) : storedContinuations()

  return {
    async run({ source, continuation, declined = [], abortSignal }) {
      const context = AgentContext.current()
      const run = { userId: context.userId, source }
      const {
        seed,
        at,
        answers,
        used: usedBefore,
      } = continuation
        ? continuations.take(run, continuation)
        : { seed: randomInt(2 ** 32), at: Date.now(), answers: [], used: [] }
      const used = new Map(usedBefore.map((account) => [account.provider, account]))
      /** Made anew each time: a token may have been renewed in between. */
      const redactor = () =>
        createRedactor(
          secretsOf(
            Object.values(context.oauthTokens).map((token) => token.toIdentity()),
            providers,
          ),
        )

      const accountFetch = createAccountFetch({
        rules,
        context,
        toolName: 'code',
        fetch: options.fetch,
        onUse: (entry) => {
          const { action, provider, accountId } = entry
          if (action === 'used' && provider) used.set(provider, { provider, ...(accountId && { accountId }) })
          onUse?.(entry)
        },
      })
      const sendRequest = async ({ url, ...init }: GuestRequest, signal: AbortSignal) => {
        const response = await accountFetch(url, { ...init, signal })
        return { status: response.status, headers: [...response.headers], body: await response.text() }
      }
      const pause = (request: ConnectRequest): CallOutcome =>
        continuation && declined.includes(request.provider)
          ? { error: `The person did not connect ${request.provider}.`, code: 'AUTHORIZATION_REQUIRED' }
          : { pause: request }

      /** Calls a tool in the person's context: a missing account pauses, and what it says is redacted. */
      const call = async (name: string, json: string | undefined, signal: AbortSignal): Promise<CallOutcome> => {
        try {
          const input: unknown = json && JSON.parse(json)
          const toolName = name.replace(/^tools\./, '')
          const tool = toolName !== name && Object.hasOwn(tools, toolName) ? tools[toolName] : undefined
          const output: unknown = await context.run(() =>
            tool ? callTool(toolName, tool, input, signal) : sendRequest(input as GuestRequest, signal),
          )
          const request = readConnectRequest(output)
          return request ? pause(request) : { output: toJson(redactor().value(output), MAX_ANSWER_BYTES) }
        } catch (error) {
          if (error instanceof AuthorizationRequired) return pause(error.request)
          // The words only: an error's other properties may hold a request.
          const message = error instanceof Error ? error.message : 'The tool failed.'
          return { error: redactor().text(message), code: 'TOOL_ERROR' }
        }
      }

      const ended = await runProgram({
        source,
        tools: Object.keys(tools),
        seed,
        at,
        answers,
        limits: { ...LIMITS, ...limits },
        signal: abortSignal,
        call,
      }).catch((error: unknown) => {
        throw redactor().value(error)
      })
      const accounts = [...used.values()]
      if (ended.status === 'paused') {
        const next = continuations.put(run, { seed, at, answers: ended.answers, used: accounts })
        const requests = ended.requests as [ConnectRequest, ...ConnectRequest[]]
        return { status: 'paused', requests, continuation: next }
      }
      const { value, logs } = redactor().value(ended)
      return { status: 'completed', value, logs, accounts }
    },
  }
}

interface GuestRequest {
  url: string
  method: string
  headers: Record<string, string>
  body?: string
}

/** Calls a tool. Its input is checked here, since the code is unchecked and the AI SDK checks only what a model sends. */
async function callTool(
  name: string,
  { execute, inputSchema }: CodeTool,
  input: unknown = {},
  abortSignal: AbortSignal,
): Promise<unknown> {
  if (!execute) throw new Error(`The tool ${name} cannot be called from code.`)
  const options = { toolCallId: randomUUID(), messages: [], abortSignal, context: {} }
  let output = await execute(await validate(name, inputSchema, input), options)
  if (isIterable(output)) {
    let last: unknown
    for await (last of output);
    output = last
  }
  return output
}

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

/** Checks an input by the schema's own means; without a schema any input will do. */
async function validate(name: string, schema: unknown, input: unknown): Promise<unknown> {
  if (schema === undefined || schema === null) return input
  const refuse = () => new Error(`The input of ${name} does not fit its schema.`)
  const { '~standard': standard, validate: own } = schema as {
    '~standard'?: { validate(value: unknown): unknown }
    validate?: (value: unknown) => unknown
  }
  if (standard) {
    const result = (await standard.validate(input)) as { value?: unknown; issues?: readonly { message: string }[] }
    if (result.issues) throw new Error(`${refuse().message} ${result.issues.map(({ message }) => message).join(' ')}`)
    return result.value
  }
  if (own) {
    const result = (await own(input)) as { success: boolean; value?: unknown }
    if (!result.success) throw refuse()
    return result.value
  }
  throw new Error(`The schema of ${name} cannot check inputs.`)
}
