import { createHash } from 'node:crypto'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ConnectRequest } from '@latchkey/core'

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
   * Maximum number of calls of tools and `fetch`.
   *
   * @default 256
   */
  maxCalls?: number
}

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

export type ToWorker = Omit<Answer, 'call'>
export type FromWorker =
  | { type: 'started' }
  | { type: 'call'; id: number; name: string; input: string | undefined }
  /** The code waits for an answer. `turn` counts the start and the answers so far. */
  | { type: 'idle'; turn: number }
  | { type: 'done'; value: string | undefined; logs: string }
  | { type: 'failed'; name: string; message: string; stack: string }

export type CallOutcome = { output: string | undefined } | { error: string; code: string } | { pause: ConnectRequest }

export interface Program extends Guest {
  /** Answers recorded before the pause, replayed in this order before any new call. */
  answers: readonly Answer[]
  /** Calls a tool with JSON input. Never rejects. */
  call(name: string, input: string | undefined, signal: AbortSignal): Promise<CallOutcome>
  signal?: AbortSignal | undefined
}

export type Ended =
  | { status: 'completed'; value: unknown; logs: string[] }
  | { status: 'paused'; requests: ConnectRequest[]; answers: Answer[] }

/** A call that waits for its answer. */
interface Asked {
  name: string
  input: string | undefined
  hash: string
}

/** Maximum milliseconds for the thread to start. */
const START = 30_000

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
    const paused = new Map<number, ConnectRequest>()
    let replayed = 0
    let running = 0
    let sent = 1
    let isIdle = false

    const end = (settle: () => void) => {
      if (ending.signal.aborted) return
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      ending.abort()
      void worker.terminate()
      settle()
    }
    const fail = (error: unknown) => end(() => reject(error))
    const onAbort = () => fail(signal?.reason)
    const late = (milliseconds: number) =>
      setTimeout(() => fail(new Error(`The code timed out after ${milliseconds} ms.`)), milliseconds)
    let timer = late(START)
    signal?.addEventListener('abort', onAbort)

    const deliver = ({ id, output, error, code, at: time }: Answer) => {
      sent += 1
      isIdle = false
      worker.postMessage({ id, output, error, code, at: time } satisfies ToWorker)
    }
    const start = async (id: number, { name, input, hash }: Asked) => {
      running += 1
      const outcome = await program.call(name, input, ending.signal)
      running -= 1
      if (ending.signal.aborted) return
      if ('pause' in outcome) {
        paused.set(id, outcome.pause)
        goOn()
        return
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
      for (const [id, call] of asked) void start(id, call)
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
        timer = late(limits.timeoutMs)
      } else if (message.type === 'call') {
        const { id, name, input } = message
        asked.set(id, { name, input, hash: hashOf(name, input) })
      } else if (message.type === 'idle') {
        isIdle = message.turn === sent
        goOn()
      } else if (message.type === 'done') {
        const { value, logs } = message
        end(() => resolve({ status: 'completed', value: value && JSON.parse(value), logs: JSON.parse(logs) }))
      } else {
        const error = new Error(message.message)
        error.name = message.name
        error.stack = `${message.name}: ${message.message}\n${message.stack}`
        fail(error)
      }
    })
  })
}

const hashOf = (...parts: (string | undefined)[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)

const NO_JSON = [Map, Set, WeakMap, WeakSet, ArrayBuffer, Promise]

/** A value as JSON. @throws TypeError for a value that JSON would silently change, RangeError if it is too large. */
export function toJson(value: unknown, maxBytes: number): string | undefined {
  const json = JSON.stringify(value, function (this: Record<string, unknown>, key: string, one: unknown) {
    const raw = this[key]
    const isNone = NO_JSON.some((kind) => raw instanceof kind) || ArrayBuffer.isView(raw)
    if (isNone) throw new TypeError(`A ${(raw as object).constructor.name} is not a JSON value.`)
    if (Array.isArray(raw) && Object.keys(raw).length < raw.length) {
      throw new TypeError('A sparse array is not a JSON value.')
    }
    return one
  }) as string | undefined
  if (json && Buffer.byteLength(json) > maxBytes) throw new RangeError(`The answer is larger than ${maxBytes} bytes.`)
  return json
}
