import { createHash, randomInt, randomUUID } from 'node:crypto'
import { type ConnectRequest, LatchkeyError } from '@latchkey/core'
import type { AllowRule } from '../../outbound/allow-rules.ts'
import { createRedactor, secretsOf } from '../../outbound/redact/redactor.ts'
import { ApprovalRequired } from '../../use/answers.ts'
import { accountOf, createAccountFetch, type NamedFetchInit, type OnUse, type UsedAccount } from '../account-fetch.ts'
import { AgentContext, openedIn } from '../context.ts'
import { AuthorizationRequired, isRequest, withoutRequest } from '../required.ts'
import { type PausedRun, signedContinuations, storedContinuations } from './continuations.ts'
import { type CallOutcome, type CodeLimits, type PersonRequest, runProgram, toJson } from './sandbox.ts'

/** A tool that code can call as `tools.name(input)`: an AI SDK tool, or any object of this shape. */
export interface CodeTool {
  // biome-ignore lint/suspicious/noExplicitAny: tools have any input and output.
  execute?: ((input: any, options: any) => unknown) | undefined
  /** A Standard Schema, or a schema of the AI SDK. The input is checked before the tool runs. */
  inputSchema?: unknown
}

/** Options of {@link createCodeMode}. */
export interface CodeModeOptions {
  /** The tools that the code can call, in addition to `fetch`. */
  tools?: Readonly<Record<string, CodeTool>>
  /**
   * The APIs that `fetch` in the code may call, with the person's accounts.
   *
   * @default [], so every `fetch` is refused
   */
  rules?: readonly AllowRule[]
  /** Called for every use of an account by `fetch`, every refused call and every missing account. */
  onUse?: OnUse
  limits?: CodeLimits
  /**
   * Runs at the same time. Each may take `limits.memoryLimitBytes`, and keeps one core busy while it computes.
   *
   * @default 8
   */
  maxRuns?: number
  /**
   * Runs that wait for their turn. The time limit of a run begins with its turn. One more fails with
   * `temporarily_unavailable`.
   *
   * @default 256
   */
  maxWaiting?: number
  /**
   * Signs continuations, which then contain the run's results so far. Any process with this secret (32 bytes or more) can
   * resume them.
   *
   * @default undefined: paused runs stay in memory, and each can be resumed once, within an hour
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
  /** JavaScript or TypeScript: the body of an async function. It may `await` and should `return`. */
  source: string
  /** The continuation of a paused run of the same source and person, to resume it. */
  continuation?: string
  /** When resuming: ids of providers that the person declined to connect. Calls to them throw in the code. */
  declined?: readonly string[]
  abortSignal?: AbortSignal
}

/** What the code wrote to `console`, oldest first. */
type Logs = string[]

/** The outcome of a run that did not fail. */
export type CodeResult =
  | { status: 'completed'; value: unknown; logs: Logs; accounts: UsedAccount[] }
  /** Accounts are missing, or calls wait for a yes. After the person has answered, pass this continuation to `run` to resume. */
  | { status: 'paused'; requests: [PersonRequest, ...PersonRequest[]]; continuation: string }

/** Runs code that a model wrote. Created by {@link createCodeMode}. */
export interface CodeMode {
  /**
   * Runs code for the person of the current context, in a QuickJS sandbox: no process, files, modules or tokens, and no
   * network but `fetch` under the rules. Inputs and outputs are JSON.
   *
   * With several accounts of a provider, `fetch` names one: `fetch(url, { account: 'work' })`, by a label or id of
   * `context.accountsOf`. Unnamed it is the one that was named before, or the call fails with the list. `response.account` is
   * the id of the account that it was made with. A tool of `withAccount` takes its own `account`.
   *
   * It runs in a worker thread. Resuming replays a run from its start with the recorded answers: no tool is called twice,
   * and `Date` and `Math.random` return the same values again.
   *
   * @throws Error with the message of the code's error, of the limit that it exceeded, or for a continuation that is not valid.
   * @throws LatchkeyError `temporarily_unavailable` if too many runs wait.
   */
  run(run: CodeRun): Promise<CodeResult>
}

const MB = 1024 * 1024
const LIMITS = {
  timeoutMs: 30_000,
  memoryLimitBytes: 64 * MB,
  maxResultBytes: MB,
  maxAnswerBytes: 8 * MB,
  maxCalls: 256,
}
/** Longer code is not parsed. */
const MAX_SOURCE = MB
/** Calls of one run at the same time: the answer of each is held in memory. */
const MAX_CALLING = 4

/** Creates a runner for code that a model writes, which combines tools and calls APIs with the person's accounts. Call it once per app. */
export function createCodeMode(options: CodeModeOptions = {}): CodeMode {
  const { tools = {}, rules = [], onUse, maxRuns = 8, maxWaiting = 256, continuationSecret } = options
  const limits = { ...LIMITS, ...options.limits }
  const providers = rules.map(({ provider }) => provider)
  const inTurn = createTurns(maxRuns, maxWaiting)
  const continuations = continuationSecret ? signedContinuations(continuationSecret) : storedContinuations()

  return {
    async run({ source, continuation, declined = [], abortSignal }) {
      if (source.length > MAX_SOURCE) throw new RangeError(`The code is longer than ${MAX_SOURCE} characters.`)
      const context = AgentContext.current()
      const run = createHash('sha256')
        .update(JSON.stringify([context.userId, source]))
        .digest('base64url')
      const started: PausedRun = continuation
        ? await continuations.take(run, continuation)
        : { seed: randomInt(2 ** 32), at: Date.now(), answers: [], used: [] }
      const keyOf = ({ provider, accountId }: UsedAccount) => JSON.stringify([provider, accountId])
      const used = new Map(started.used.map((account) => [keyOf(account), account]))
      /** Made for each use, because a token may have been opened or renewed since. */
      const clean = <T>(value: T): Promise<T> => createRedactor(secretsOf(openedIn(context), providers)).later(value)
      const inTurnOfRun = createTurns(MAX_CALLING, limits.maxCalls)
      let room = limits.maxAnswerBytes
      for (const { output = '' } of started.answers) room -= Buffer.byteLength(output)
      const accountFetch = createAccountFetch({
        rules,
        context,
        toolName: 'code',
        account: 'choose',
        fetch: options.fetch,
        onUse: (entry) => {
          const { action, provider, accountId } = entry
          if (action === 'used' && provider) used.set(keyOf({ provider, accountId }), { provider, accountId })
          onUse?.(entry)
        },
      })
      const sendRequest = async ({ url, ...init }: GuestRequest, signal: AbortSignal) => {
        const response = await accountFetch(url, { ...init, signal })
        const account = accountOf(response)
        return { status: response.status, headers: [...response.headers], body: await response.text(), account }
      }
      const pause = (request: ConnectRequest): CallOutcome =>
        continuation && declined.includes(request.provider)
          ? { error: `The person did not connect ${request.provider}.`, code: 'AUTHORIZATION_REQUIRED' }
          : { pause: request }

      /** Calls a tool in the person's context. A missing account pauses the run. The output is redacted. */
      const call = async (name: string, json: string | undefined, signal: AbortSignal): Promise<CallOutcome> => {
        try {
          signal.throwIfAborted()
          const input: unknown = json && JSON.parse(json)
          const toolName = name.replace(/^tools\./, '')
          const tool = toolName !== name && Object.hasOwn(tools, toolName) ? tools[toolName] : undefined
          const output: unknown = await context.run(() =>
            tool ? callTool(toolName, tool, input, signal) : sendRequest(input as GuestRequest, signal),
          )
          // Only an object that our own code made. Others may have written what a tool returns.
          if (isRequest(output)) return pause(output instanceof AuthorizationRequired ? output.request : output)
          const answer = toJson(await clean(output), room)
          room -= Buffer.byteLength(answer ?? '')
          return { output: answer }
        } catch (error) {
          if (error instanceof AuthorizationRequired) return pause(error.request)
          if (error instanceof ApprovalRequired) return { pause: error.notice }
          // Only the message: an error's other properties may hold a request.
          const message = error instanceof Error ? error.message : 'The tool failed.'
          return { error: (await clean(message)).slice(0, 10_000), code: 'TOOL_ERROR' }
        }
      }

      const guest = { source, tools: Object.keys(tools), limits, signal: abortSignal }
      const callInTurn: typeof call = (...asked) => inTurnOfRun(() => call(...asked))
      const ended = await inTurn(() => runProgram({ ...started, ...guest, call: callInTurn }), abortSignal).catch(
        async (error: unknown) => {
          throw await clean(error)
        },
      )
      const accounts = [...used.values()]
      if (ended.status === 'completed') {
        withoutRequest(ended.value)
        return { ...(await clean(ended)), accounts }
      }
      const { status, requests } = ended
      // Again, because a later call may have opened another token.
      const answers = await Promise.all(ended.answers.map(clean))
      return {
        status,
        requests: requests as [PersonRequest, ...PersonRequest[]],
        continuation: await continuations.put(run, { ...started, answers, used: accounts }),
      }
    },
  }
}

/** Lets `max` functions run at a time, while at most `maxWaiting` wait. */
function createTurns(max: number, maxWaiting: number) {
  const waiting = new Set<() => void>()
  let free = max
  return async <T>(fn: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    signal?.throwIfAborted()
    if (free > 0) free -= 1
    else {
      if (waiting.size >= maxWaiting) {
        const message = `${max} runs are under way and ${maxWaiting} wait. Try again later.`
        throw new LatchkeyError('temporarily_unavailable', message)
      }
      await new Promise<void>((resolve, reject) => {
        waiting.add(resolve)
        signal?.addEventListener('abort', () => waiting.delete(resolve) && reject(signal.reason), { once: true })
      })
    }
    try {
      return await fn()
    } finally {
      const [next] = waiting
      if (next) {
        waiting.delete(next)
        next()
      } else free += 1
    }
  }
}

type GuestRequest = NamedFetchInit & { url: string }

/** Calls a tool after checking its input. The AI SDK checks only inputs that a model sends directly. */
async function callTool(
  name: string,
  { execute, inputSchema }: CodeTool,
  input: unknown = {},
  abortSignal: AbortSignal,
): Promise<unknown> {
  if (!execute) throw new Error(`The tool ${name} cannot be called from code.`)
  const options = { toolCallId: randomUUID(), messages: [], abortSignal, context: {} }
  const output = await execute(await validate(name, inputSchema, input), options)
  if (!isIterable(output)) return output
  let last: unknown
  for await (last of output);
  return last
}

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

/** What checks an input: a Standard Schema answers with issues, a schema of the AI SDK with `success`. */
interface Validator {
  validate?(value: unknown): Promise<{ value?: unknown; issues?: readonly { message: string }[]; success?: boolean }>
}

/** Validates an input with the schema. Without a schema any input is accepted. */
async function validate(name: string, schema: unknown, input: unknown): Promise<unknown> {
  if (schema === undefined || schema === null) return input
  const { '~standard': standard = schema as Validator } = schema as { '~standard'?: Validator }
  if (!standard.validate) throw new Error(`The schema of ${name} cannot check inputs.`)
  const { value, issues, success = issues === undefined } = await standard.validate(input)
  if (success) return value
  const messages = (issues ?? []).map(({ message }) => message)
  throw new Error([`The input of ${name} does not fit its schema.`, ...messages].join(' '))
}
