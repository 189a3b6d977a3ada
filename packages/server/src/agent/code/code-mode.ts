import { randomUUID } from 'node:crypto'
import { type ConnectRequest, LatchkeyError, readConnectRequest } from '@latchkey/core'
import {
  type ContinuationStorage,
  createRunner,
  createSignedContinuationCodec,
  createStoredContinuationCodec,
  getHostFunctionContext,
  type HostFunction,
  RunError,
  type RunLimits,
  type StoredContinuation,
} from 'run'
import type { AllowRule } from '../../outbound/allow-rules.ts'
import { createRedactor } from '../../outbound/redact/redactor.ts'
import { secretsOf } from '../../outbound/redact/secrets.ts'
import { createAccountFetch, type OnUse, type UsedAccount } from '../account-fetch.ts'
import { AgentContext } from '../context.ts'
import { AuthorizationRequired } from '../identities.ts'

/** A tool that code can call as `tools.name(input)`: one of the AI SDK, or anything of this shape. */
export interface CodeTool {
  // biome-ignore lint/suspicious/noExplicitAny: tools of every input and output fit.
  execute?: ((input: any, options: any) => unknown) | undefined
  /** Checked before the tool runs, since no model wrote this input: a Standard Schema, or one of the AI SDK. */
  inputSchema?: unknown
}

export interface CodeModeOptions {
  /** What the code can call, beside `fetch`. */
  tools?: Readonly<Record<string, CodeTool>>
  /** What `fetch` in the code reaches: APIs of these providers, with the person's accounts. Default: nothing. */
  rules?: readonly AllowRule[]
  /** Told of every use of an account by `fetch`, of every call that was refused and every account that was missing. */
  onUse?: OnUse
  limits?: Pick<RunLimits, 'timeoutMs' | 'memoryLimitBytes' | 'maxResultBytes' | 'maxBridgeRequests'>
  /**
   * Signs paused runs, so that any process with this secret (32 bytes or more) can resume them; their results so far
   * travel inside. Default: they stay in this process, each can be resumed once, within the hour.
   */
  continuationSecret?: string | Uint8Array
  /** Used by `fetch` in the code. Default: the global one. */
  fetch?: typeof globalThis.fetch
}

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

export type CodeResult =
  | { status: 'completed'; value: unknown; logs: Logs; accounts: UsedAccount[] }
  /** Accounts are missing. Once they are there, `run` with this continuation goes on where it stopped. */
  | { status: 'paused'; requests: [ConnectRequest, ...ConnectRequest[]]; continuation: string }

export interface CodeMode {
  /**
   * Runs code on behalf of the present context, in a QuickJS sandbox: no process, no files, no modules, no network but
   * `fetch` under the rules, and no token.
   *
   * @throws Error with the words of what the code threw, of a limit it hit, or of a continuation that is not its own.
   */
  run(run: CodeRun): Promise<CodeResult>
}

/** How long a paused run waits for the person. */
const MAX_PAUSE = 60 * 60 * 1000

/** Lets a model write code that composes tools and calls APIs with the person's accounts. Made once per app. */
export function createCodeMode(options: CodeModeOptions = {}): CodeMode {
  const { tools = {}, rules = [], onUse, limits, continuationSecret } = options
  const providers = rules.map(({ provider }) => provider)
  /** Accounts that runs have used before they paused, by the id that a run keeps. */
  const usedBefore = new Map<string, Map<string, UsedAccount>>()
  const runner = createRunner<string>({
    limits: { ...limits },
    continuationAudience: 'latchkey-code-mode',
    continuationCodec: continuationSecret
      ? createSignedContinuationCodec({ secret: continuationSecret, maxAgeMs: MAX_PAUSE })
      : createStoredContinuationCodec({ storage: memoryStorage(), maxAgeMs: MAX_PAUSE }),
  })

  return {
    async run({ source, continuation, declined = [], abortSignal }) {
      const context = AgentContext.current()
      let used = new Map<string, UsedAccount>()
      let runId = ''
      const redactor = () =>
        createRedactor(
          secretsOf(
            Object.values(context.oauthTokens).map((token) => token.toIdentity()),
            providers,
          ),
        )

      /** A host function: in the person's context, pausing for a missing account, and clean in what it says. */
      const host = (fn: (...args: never[]) => unknown): HostFunction => {
        return async (...args: unknown[]) => {
          const { interrupt, resume, logicalRunId } = getHostFunctionContext()
          if (!runId) {
            runId = logicalRunId
            used = usedBefore.get(runId) ?? used
          }
          const pause = (request: ConnectRequest): never => {
            if (resume && declined.includes(request.provider)) {
              throw new RunError(`The person did not connect ${request.provider}.`, 'AUTHORIZATION_REQUIRED')
            }
            return interrupt(request)
          }
          let output: unknown
          try {
            output = await context.run(() => fn(...(args as never[])))
          } catch (error) {
            if (error instanceof AuthorizationRequired) return pause(error.request)
            // The words only: an error's other properties may hold a request.
            const message = error instanceof Error ? error.message : 'The tool failed.'
            throw new RunError(redactor().text(message), 'TOOL_ERROR')
          }
          const request = readConnectRequest(output)
          return request ? pause(request) : redactor().value(output)
        }
      }

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
      const sendRequest = async (url: string, init: GuestInit) => {
        const { abortSignal: signal } = getHostFunctionContext()
        const response = await accountFetch(url, { ...init, signal })
        return { status: response.status, headers: [...response.headers], body: await response.text() }
      }

      const [pending = '', token] = continuation?.split('~') ?? []
      if (continuation && !token) {
        throw new LatchkeyError('misuse', 'This is no continuation of a paused run.', { next: 'none' })
      }
      const running = runner.run<{ value: unknown; logs: Logs }>({
        source: wrap(source),
        hostFunctions: {
          tools: Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, host(toolCall(name, tool))])),
          [NETWORK]: { send: host(sendRequest) },
        },
        // Nobody else's context can go on with it.
        continuationContext: { userId: context.userId },
        ...(abortSignal && { abortSignal }),
        ...(token && {
          continuation: token,
          resolutions: pending.split(',').map((interruptionId) => ({ interruptionId, value: true })),
        }),
      })
      const result = await running.catch((error: unknown) => {
        usedBefore.delete(runId)
        throw redactor().value(error)
      })
      if (result.status === 'interrupted') {
        const [first, ...others] = result.interruptions.flatMap(({ payload }) => readConnectRequest(payload) ?? [])
        if (!first) throw new LatchkeyError('misuse', 'A tool paused the code for something else than an account.')
        keep(usedBefore, runId, used)
        const ids = result.interruptions.map(({ id }) => id)
        return { status: 'paused', requests: [first, ...others], continuation: `${ids}~${result.continuation}` }
      }
      usedBefore.delete(runId)
      const { value, logs } = redactor().value(result.value)
      return { status: 'completed', value, logs, accounts: [...used.values()] }
    },
  }
}

interface GuestInit {
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** The group of host functions that `fetch` in the code is made of. It can do nothing that `fetch` cannot. */
const NETWORK = '__network'

/**
 * What the code finds there: `fetch`, and a `console` that is handed back instead of printed. One line, so that errors
 * name the lines of the code as it was given.
 */
const PRELUDE = `
  const $logs = [];
  const $show = (value) => { try { return typeof value === 'string' ? value : JSON.stringify(value) ?? String(value); } catch { return String(value); } };
  const $log = (...values) => { if ($logs.length < 1000) $logs.push(values.map($show).join(' ').slice(0, 2000)); };
  const console = Object.freeze({ log: $log, info: $log, warn: $log, error: $log, debug: $log });
  const fetch = async (url, { method = 'GET', headers = {}, body } = {}) => {
    const given = typeof headers.entries === 'function' ? Object.fromEntries(headers.entries()) : headers;
    const answer = await ${NETWORK}.send(String(url), { method: String(method), headers: { ...given }, ...(body != null && { body: String(body) }) });
    const map = new Map(answer.headers);
    return {
      url: String(url), status: answer.status, ok: answer.status >= 200 && answer.status < 300, redirected: false,
      headers: { get: (name) => map.get(String(name).toLowerCase()) ?? null, has: (name) => map.has(String(name).toLowerCase()), entries: () => map.entries() },
      text: async () => answer.body, json: async () => JSON.parse(answer.body),
    };
  };
`.replace(/\s*\n\s*/g, ' ')

const wrap = (source: string) => `${PRELUDE}return { value: await (async () => { ${source}\n})(), logs: $logs };`

/** A tool as the code calls it. Its input is checked: what calls it is a program, which nobody has checked before. */
function toolCall(name: string, { execute, inputSchema }: CodeTool) {
  return async (input: unknown = {}): Promise<unknown> => {
    if (!execute) throw new Error(`The tool ${name} cannot be called from code.`)
    const { abortSignal } = getHostFunctionContext()
    const options = { toolCallId: randomUUID(), messages: [], abortSignal, context: {} }
    let output = await execute(await validate(name, inputSchema, input), options)
    if (isIterable(output)) {
      let last: unknown
      for await (last of output);
      output = last
    }
    return output
  }
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

const MAX_KEPT = 1000

/** Keeps the newest: who never comes back must not fill the memory. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= MAX_KEPT) break
    map.delete(oldest)
  }
}

/** Paused runs of this process. Each is taken out when it is resumed, so it is resumed once. */
function memoryStorage(): ContinuationStorage {
  const kept = new Map<string, { stored: StoredContinuation; claim?: string }>()
  return {
    set(key, stored) {
      for (const [old, { stored: other }] of kept) if (other.expiresAtMs <= Date.now()) kept.delete(old)
      keep(kept, key, { stored })
    },
    acquire(key, claim) {
      const entry = kept.get(key)
      if (!entry || entry.claim) return undefined
      entry.claim = claim
      return entry.stored
    },
    consume(key, claim) {
      if (kept.get(key)?.claim === claim) kept.delete(key)
    },
    release(key, claim) {
      const entry = kept.get(key)
      if (entry?.claim === claim) delete entry.claim
    },
  }
}
