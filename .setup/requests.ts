// Every request of our packages ends in time. In every unit test, what sends one is wrapped: a request that our code makes
// fails, with its stack, unless a time limit of the seam ends it and `requests.txt` lists its place with that limit or more.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import Module, { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import tls from 'node:tls'
import { afterAll, afterEach } from 'vitest'

/** The seam: only what these files start counts as a time limit. */
const CLOCKS = [
  'core/src/protocol/http.ts',
  'server/src/broker/options.ts',
  'server/src/outbound/guarded-fetch.ts',
  'node_modules/pg-pool/',
  'spiffe/src/ids/deadline.ts',
]
/** They send for others, whose places are listed instead. */
const CARRIERS = [
  'core/src/mcp/transport.ts',
  'core/src/protocol/http.ts',
  'server/src/broker/options.ts',
  'server/src/outbound/api-request.ts',
  'server/src/outbound/guarded-fetch.ts',
  'spiffe/src/ids/deadline.ts',
  'spiffe/src/workload/transport.ts',
]

/** When a request ends: milliseconds, and whether it is the seam that ends it. */
interface Limit {
  ms: number
  bySeam: boolean
}
interface Frame {
  file: string
  name: string
}

/** What the list allows: the longest limit of each place and what it calls, in milliseconds. */
export const listed = new Map(
  readFileSync(path.join(import.meta.dirname, 'requests.txt'), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(/ {2,}/))
    .map(([place, what, ms]) => [`${place}  ${what}`, ms === 'none' ? Infinity : Number(ms)]),
)

const packages = path.join(import.meta.dirname, '../packages')

/** Who called, from the inside out, as paths from `packages`. */
function callers(most = 60): Frame[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.stackTraceLimit = most
  // Without this, a source map would be read for each frame.
  Error.prepareStackTrace = (_, sites) => sites
  const sites = new Error().stack as unknown as NodeJS.CallSite[]
  Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  return sites
    .map((site) => ({ file: site.getFileName() ?? '', name: site.getFunctionName() ?? '' }))
    .filter(({ file }) => file && !file.startsWith('node:') && !file.endsWith('.setup/requests.ts'))
    .map(({ file, name }) => ({ file: relative(file), name }))
}
const relative = (file: string) => path.relative(packages, file.replace(/^file:\/\/|\?.*$/g, '')).replaceAll('\\', '/')

const isLibrary = ({ file }: Frame) => file.includes('node_modules/')
const isOurs = ({ file }: Frame) =>
  /^(core|react|server|spiffe)\/src\//.test(file) && !/\.(test|stories)\.|\/testing[./]/.test(file)

/** The place of our code that sends a request. Undefined if a test does. */
function senderOf(frames: Frame[]): string | undefined {
  const own = frames.filter((frame) => !isLibrary(frame))
  const end = own.findIndex((frame) => !isOurs(frame))
  const ours = end < 0 ? own : own.slice(0, end)
  const at = ours.find(({ file }) => !CARRIERS.includes(file)) ?? ours.at(-1)
  const named = at && ours.slice(ours.indexOf(at)).find(({ file, name }) => file === at.file && name)
  if (!named || CARRIERS.includes(named.file)) return at?.file
  return `${named.file} › ${named.name.replace(/^.*\./, '')}`
}

const limits = new WeakMap<AbortSignal, Limit>()
const shortest = (found: (Limit | undefined)[]): Limit | undefined => {
  const known = found.filter((one) => one !== undefined)
  if (known.length === 0) return undefined
  return { ms: Math.min(...known.map(({ ms }) => ms)), bySeam: known.some(({ bySeam }) => bySeam) }
}
const bySeam = ([frame]: Frame[]) => frame !== undefined && CLOCKS.some((clock) => frame.file.includes(clock))
const limitOf = (signal: unknown) => (signal instanceof AbortSignal ? limits.get(signal) : undefined)

const { any, timeout } = AbortSignal
const timed = (ms: number) => {
  const signal = timeout.call(AbortSignal, ms)
  limits.set(signal, { ms, bySeam: bySeam(callers(10)) })
  return signal
}
AbortSignal.timeout = timed
AbortSignal.any = (signals) => {
  const list = [...signals]
  const signal = any.call(AbortSignal, list)
  const limit = shortest(list.map(limitOf))
  if (limit) limits.set(signal, limit)
  return signal
}

/** The timer that was started last, while the function that did so still runs. */
let started: Limit | undefined
const { setTimeout: startTimer } = globalThis
const watchedTimer = Object.assign((callback: () => void, ms = 0, ...rest: []) => {
  if (bySeam(callers(10))) {
    started = { ms, bySeam: true }
    queueMicrotask(() => {
      started = undefined
    })
    abortedBy(callback, started)
  }
  return startTimer(callback, ms, ...rest)
}, startTimer)
globalThis.setTimeout = watchedTimer as typeof setTimeout

/** A timer that does nothing but abort is the limit of what it aborts. To learn that, it is called, and nothing is aborted. */
function abortedBy(callback: () => void, limit: Limit) {
  if (!/^\(\) ?=> ?\w+\.abort\([^;]*\)$/.test(String(callback))) return
  const { abort } = AbortController.prototype
  AbortController.prototype.abort = function () {
    limits.set(this.signal, limit)
  }
  callback()
  AbortController.prototype.abort = abort
}

/** Requests that failed for what this file says. */
export const faults: Error[] = []

/** Fails a request of our code that nothing ends in time, or that is not in the list. */
function judge(what: string, limit: Limit | undefined) {
  // A test that has the clock in its hand ends requests itself.
  if (AbortSignal.timeout !== timed || globalThis.setTimeout !== watchedTimer) return
  const sender = senderOf(callers())
  if (!sender) return
  const place = `${sender}  ${what}`
  const ms = limit?.bySeam ? limit.ms : Infinity
  const most = listed.get(place)
  if (most !== undefined && ms <= most) return
  const lacks = ms === Infinity ? 'has no time limit of the seam' : `is not in .setup/requests.txt with its ${ms} ms`
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 60
  const fault = new Error(`A request ${lacks}: ${place}`)
  Error.stackTraceLimit = stackTraceLimit
  faults.push(fault)
  throw fault
}
const report = () => {
  for (const fault of faults.splice(0)) throw fault
}
// Our code may have caught the error.
afterEach(report)
afterAll(report)

/** What tells the limit of a call, by the object and the arguments. */
type Limiter = (self: object, ...given: Sent[]) => Limit | undefined
type Sent = { signal?: unknown } | undefined

const watched = new WeakSet<object>()
let within = false
/** Wraps what sends. What it calls in turn is the same request. */
function watch(owner: object, key: string, limit: Limiter) {
  const real = Reflect.get(owner, key)
  if (!real || watched.has(real)) return
  function send(this: object, ...given: Sent[]) {
    const go = () => (new.target ? Reflect.construct(real, given, new.target) : Reflect.apply(real, this, given))
    if (within) return go()
    judge(key, limit(this, ...given))
    within = true
    try {
      return go()
    } finally {
      within = false
    }
  }
  Reflect.set(owner, key, Object.assign(send, real, { prototype: real.prototype }))
  watched.add(send)
}

const bySignal: Limiter = (_self, input, init) => limitOf(init?.signal ?? input?.signal)
const byTimer: Limiter = () => started
const byEither: Limiter = (_self, ...given) => shortest([started, ...given.map((one) => limitOf(one?.signal))])
const byOption = (ms: unknown) => (Number(ms) > 0 ? { ms: Number(ms), bySeam: true } : undefined)

watch(globalThis, 'fetch', bySignal)
for (const module of [http, https]) for (const key of ['request', 'get']) watch(module, key, byEither)
watch(http2, 'connect', byTimer)
watch(tls, 'connect', byTimer)
// `net.connect` and all of the above that make a socket.
watch(net.Socket.prototype, 'connect', byTimer)
// They take no signal, so one of ours fails.
for (const key of ['EventSource', 'WebSocket', 'XMLHttpRequest']) watch(globalThis, key, () => undefined)
syncBuiltinESMExports()

// A database waits for locks only. It has its limit for that from the beginning.
const { exec, prepare } = DatabaseSync.prototype
const opened = new WeakSet<DatabaseSync>()
function open(database: DatabaseSync) {
  if (opened.has(database)) return
  opened.add(database)
  const { timeout: ms } = prepare.call(database, 'PRAGMA busy_timeout').get() ?? {}
  judge('DatabaseSync', { ms: Number(ms), bySeam: true })
}
DatabaseSync.prototype.exec = function (text) {
  open(this)
  return exec.call(this, text)
}
DatabaseSync.prototype.prepare = function (...given) {
  open(this)
  return prepare.apply(this, given)
}

/** Libraries that use none of these, or only when their caller has left the stack. They are loaded when they are needed. */
const libraries: Record<string, (library: { Client: { prototype: object } }) => void> = {
  'undici/index.js': (undici) => watch(undici, 'fetch', bySignal),
  'pg/lib/index.js': ({ Client }) =>
    watch(Client.prototype, 'query', (client) => byOption(Reflect.get(client, 'connectionParameters').query_timeout)),
  'grpc-js/build/src/index.js': ({ Client }) => {
    for (const key of ['makeUnaryRequest', 'makeServerStreamRequest']) watch(Client.prototype, key, byTimer)
  },
}
const loader = Module as unknown as { _load(name: string, ...rest: unknown[]): { Client: { prototype: object } } }
const { _load: load } = loader
loader._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest)
  for (const [end, wrap] of Object.entries(libraries)) if (name.replaceAll('\\', '/').endsWith(end)) wrap(loaded)
  return loaded
}
