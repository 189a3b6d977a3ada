import { createHash } from 'node:crypto'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ConnectRequest } from '@latchkey/core'
import type { ApprovalNotice } from '@latchkey/core/agents'

export interface CodeLimits {
  /**
   * Maximum milliseconds from the start of the code to its end or pause, including the wait for tools.
   *
   * @default 30_000
   */
  timeoutMs?: number
  /**
   * Maximum bytes of memory for the code and its values.
   *
   * @default 67_108_864
   */
  memoryLimitBytes?: number
  /**
   * Maximum bytes of the result as JSON.
   *
   * @default 1_048_576
   */
  maxResultBytes?: number
  /**
   * Maximum bytes of all answers to the code's calls, as JSON.
   *
   * @default 8_388_608
   */
  maxAnswerBytes?: number
  /**
   * Maximum number of calls of tools and `fetch`.
   *
   * @default 256
   */
  maxCalls?: number
}

/** What a person is asked: for an account, or whether a call may be made. */
export type PersonRequest = ConnectRequest | ApprovalNotice

/** One answered call of the code. Recorded so that a paused run can be replayed. */
export interface Answer {
  /** The index of the call, from 0. */
  id: number
  /** Hash of the tool's name and input. */
  call: string
  /** JSON. Absent if the tool returned undefined or failed. */
  output?: string | undefined
  error?: string | undefined
  code?: string | undefined
  /** Milliseconds since the epoch. */
  at: number
}

export interface Guest {
  source: string
  /** Names that the code can call. */
  tools: readonly string[]
  /** Seed of the random numbers. */
  seed: number
  /** When it started, in milliseconds since the epoch. */
  at: number
  limits: Required<CodeLimits>
}

export type FromWorker =
  | { type: 'started' }
  | { type: 'call'; id: number; name: string; input: string | undefined }
  /** The code waits for an answer. `turn` counts the start and the answers so far. */
  | { type: 'idle'; turn: number }
  | { type: 'done'; value: string | undefined; logs: string }
  | { type: 'failed'; name: string; message: string; stack: string }

export type CallOutcome = { output: string | undefined } | { error: string; code: string } | { pause: PersonRequest }

export interface Program extends Guest {
  /** Answers recorded before the pause, replayed in this order before any new call. */
  answers: readonly Answer[]
  /** Calls a tool with JSON input. Never rejects. */
  call(name: string, input: string | undefined, signal: AbortSignal): Promise<CallOutcome>
  signal?: AbortSignal | undefined
}

export type Ended =
  | { status: 'completed'; value: unknown; logs: string[] }
  | { status: 'paused'; requests: PersonRequest[]; answers: Answer[] }

/** A call that waits for its answer. */
type Asked = Extract<FromWorker, { type: 'call' }> & { hash: string }

/** Maximum milliseconds for the thread to start. */
const START = 30_000

/** Maximum values in a JSON text. Reading them blocks the event loop. */
export const MAX_VALUES = 100_000

/** The worker file: TypeScript in the sources, JavaScript in the package. */
const WORKER = new URL(`./sandbox-worker${path.extname(import.meta.url)}`, import.meta.url)

/**
 * Runs code in QuickJS, in a worker thread that ends with the run. The run pauses when each of its open calls waits for an
 * account.
 *
 * @throws Error with the message of the code's error, or of the limit that it exceeded.
 */
export function runProgram(program: Program): Promise<Ended> {
  const { source, tools, seed, at, limits, signal } = program
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // The worker inherits nothing from this process: no environment, no options, no streams.
    const worker = new Worker(WORKER, {
      workerData: { source, tools, seed, at, limits } satisfies Guest,
      env: { NODE_NO_WARNINGS: '1' },
      execArgv: [],
      stdout: true,
      stderr: true,
    })
    const ending = new AbortController()
    const answers = [...program.answers]
    const asked = new Map<number, Asked>()
    const paused = new Map<number, PersonRequest>()
    let replayed = 0
    let running = 0
    let sent = 1
    let isIdle = false

    const end = (settle: () => void) => {
      if (ending.signal.aborted) return
      clearTimeout(timer)
      ending.abort()
      // The run is over when its memory is free.
      void worker.terminate().finally(settle)
    }
    const fail = (error: unknown) => end(() => reject(error))
    const late = (what: string, milliseconds: number) =>
      setTimeout(() => fail(new Error(`${what} after ${milliseconds} ms.`)), milliseconds)
    let timer = late('The sandbox did not start', START)
    signal?.addEventListener('abort', () => fail(signal.reason), { signal: ending.signal })

    const deliver = (answer: Answer) => {
      sent += 1
      isIdle = false
      worker.postMessage(answer)
    }
    const start = async ({ id, name, input, hash }: Asked) => {
      running += 1
      const outcome = await program.call(name, input, ending.signal)
      running -= 1
      if (ending.signal.aborted) return
      if ('pause' in outcome) {
        paused.set(id, outcome.pause)
        return goOn()
      }
      const answer = { id, call: hash, ...outcome, at: Date.now() }
      answers.push(answer)
      deliver(answer)
    }
    /** Continues when the code cannot go on without an answer. */
    const goOn = () => {
      if (!isIdle) return
      const recorded = program.answers[replayed]
      if (recorded) {
        replayed += 1
        if (asked.get(recorded.id)?.hash !== recorded.call)
          return fail(new Error('The replay made other calls than the recorded run.'))
        asked.delete(recorded.id)
        return deliver(recorded)
      }
      for (const call of asked.values()) void start(call)
      asked.clear()
      if (running > 0) return
      const requests = [...paused].sort(([one], [other]) => one - other).map(([, request]) => request)
      if (requests.length > 0) end(() => resolve({ status: 'paused', requests, answers }))
      else fail(new Error('The code waits for a promise that never settles.'))
    }

    worker.on('error', (error) => fail(new Error('The sandbox ran out of memory or stack.', { cause: error })))
    worker.on('exit', () => fail(new Error('The sandbox ended unexpectedly.')))
    worker.on('message', (message: FromWorker) => {
      if (ending.signal.aborted) return
      if (message.type === 'started') {
        clearTimeout(timer)
        timer = late('The code timed out', limits.timeoutMs)
      } else if (message.type === 'call') {
        asked.set(message.id, { ...message, hash: hashOf(message.name, message.input) })
      } else if (message.type === 'idle') {
        isIdle = message.turn === sent
        goOn()
      } else if (message.type === 'done') {
        const { value, logs } = message
        end(() => resolve({ status: 'completed', value: value && JSON.parse(value), logs: JSON.parse(logs) }))
      } else {
        const { name, message: text } = message
        fail(Object.assign(new Error(text), { name, stack: `${name}: ${text}\n${message.stack}` }))
      }
    })
  })
}

const hashOf = (...parts: (string | undefined)[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)

const NO_JSON = [Map, Set, WeakMap, WeakSet, ArrayBuffer, Promise]

/**
 * A value as JSON.
 *
 * @throws TypeError for a value that JSON would silently change, RangeError if it is too large. Both are thrown while it is
 *   read, because a small value can be large JSON.
 */
export function toJson(value: unknown, maxBytes: number): string | undefined {
  let values = 0
  let size = 0
  const tooLarge = (size: string) => new RangeError(`The answer is larger than its limit of ${size}.`)
  const json = JSON.stringify(value, function (this: Record<string, unknown>, key: string, one: unknown) {
    const raw = this[key]
    const isNone = NO_JSON.some((kind) => raw instanceof kind) || ArrayBuffer.isView(raw)
    if (isNone) throw new TypeError(`A ${(raw as object).constructor.name} is not a JSON value.`)
    values += 1
    size += key.length + (typeof one === 'string' ? one.length : 1)
    if (values > MAX_VALUES || (Array.isArray(raw) && raw.length > MAX_VALUES)) throw tooLarge(`${MAX_VALUES} values`)
    if (size > maxBytes) throw tooLarge(`${maxBytes} bytes`)
    if (Array.isArray(raw) && Object.keys(raw).length < raw.length) {
      throw new TypeError('A sparse array is not a JSON value.')
    }
    return one
  }) as string | undefined
  if (json && Buffer.byteLength(json) > maxBytes) throw tooLarge(`${maxBytes} bytes`)
  return json
}
