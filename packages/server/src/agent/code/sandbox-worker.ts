import { stripTypeScriptTypes } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { newQuickJSWASMModuleFromVariant, type QuickJSHandle } from 'quickjs-emscripten-core'
import { type Answer, type FromWorker, type Guest, MAX_VALUES } from './sandbox.ts'

// The worker thread of one run. It runs QuickJS and exchanges only text. It ends with the run, which frees its memory.

const { source, tools, seed, at, limits } = workerData as Guest
/** Bytes that QuickJS itself needs, for its stack and a context. */
const OWN_BYTES = 8 * 1024 * 1024
const MAX_INPUT_BYTES = 8 * 1024 * 1024
const MAX_LOG_BYTES = 2 * 1024 * 1024

/**
 * The globals of the code: `tools`, `fetch`, and a `console` whose lines are returned instead of printed. The clock changes
 * only when an answer arrives, and random numbers come from a seed, so that the same answers give the same run.
 */
const PRELUDE = `(send, done, fail, tools, seed, at) => {
  const { stringify, parse } = JSON, pending = new Map(), logs = [];
  let calls = 0, logged = 0, now = at;
  const pack = (value) => stringify(value, function (key, one) {
    const raw = this[key];
    for (const kind of [Map, Set, WeakMap, WeakSet, ArrayBuffer, Promise]) if (raw instanceof kind) throw new TypeError('A ' + kind.name + ' is not a JSON value.');
    if (ArrayBuffer.isView(raw)) throw new TypeError('A ' + raw.constructor.name + ' is not a JSON value.');
    if (Array.isArray(raw) && Object.keys(raw).length < raw.length) throw new TypeError('A sparse array is not a JSON value.');
    return one;
  });
  const call = (name, input) => new Promise((resolve, reject) => {
    const json = pack(input);
    send(calls, name, json);
    pending.set(calls++, { resolve, reject });
  });
  const show = (value) => { try { return typeof value === 'string' ? value : stringify(value) ?? String(value); } catch { return String(value); } };
  const log = (...values) => {
    const line = values.map(show).join(' ').slice(0, 2000);
    if (logs.length < 1000 && (logged += line.length) <= 200_000) logs.push(line);
  };
  const RealDate = Date;
  const GuestDate = function Date(...parts) {
    return new.target ? Reflect.construct(RealDate, parts.length ? parts : [now], new.target) : new RealDate(now).toString();
  };
  Object.assign(GuestDate, { now: () => now, parse: RealDate.parse, UTC: RealDate.UTC, prototype: RealDate.prototype });
  RealDate.prototype.constructor = GuestDate;
  Math.random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', 'performance']) delete globalThis[name];
  Object.assign(globalThis, {
    Date: GuestDate,
    console: Object.freeze({ log, info: log, warn: log, error: log, debug: log }),
    tools: Object.fromEntries(parse(tools).map((name) => [name, (input) => call('tools.' + name, input)])),
    fetch: async (url, { method = 'GET', headers = {}, body, account } = {}) => {
      const given = typeof headers.entries === 'function' ? Object.fromEntries(headers.entries()) : headers;
      const answer = await call('fetch', { url: String(url), method: String(method), headers: { ...given }, ...(body != null && { body: String(body) }), ...(account && { account: String(account) }) });
      const map = new Map(answer.headers);
      return {
        url: String(url), status: answer.status, ok: answer.status >= 200 && answer.status < 300, redirected: false, account: answer.account,
        headers: { get: (name) => map.get(String(name).toLowerCase()) ?? null, has: (name) => map.has(String(name).toLowerCase()), entries: () => map.entries() },
        text: async () => answer.body, json: async () => parse(answer.body),
      };
    },
  });
  const failed = (error) => {
    const { name = 'Error', message = error === null ? 'The code threw null or ran out of memory.' : String(error), stack = '' } = error instanceof Error ? error : {};
    fail(String(name).slice(0, 100), String(message).slice(0, 10000), String(stack).slice(0, 10000));
  };
  return {
    start: (main) => { main().then((value) => done(pack(value), stringify(logs))).catch(failed); },
    answer: (id, json, error, code, time) => {
      const { resolve, reject } = pending.get(id);
      pending.delete(id);
      now = time;
      if (error !== undefined) return reject(Object.assign(new Error(error), { code }));
      try { resolve(json === undefined ? undefined : parse(json)); } catch (thrown) { reject(thrown); }
    },
  };
}`

const post = (message: FromWorker) => parentPort?.postMessage(message)

// In WebAssembly, QuickJS's own limit counts blocks, not bytes. So the WebAssembly memory is limited instead.
const { grow } = WebAssembly.Memory.prototype
const maxBytes = OWN_BYTES + limits.memoryLimitBytes
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * 65_536 > maxBytes) throw new RangeError('The code ran out of memory.')
  return grow.call(this, pages)
}

const quickjs = await newQuickJSWASMModuleFromVariant(import('@jitl/quickjs-wasmfile-release-sync'))
const runtime = quickjs.newRuntime()
runtime.setMaxStackSize(256 * 1024)
const vm = runtime.newContext()

/** Reads a JSON text from QuickJS. Its length is checked before it is copied, and its values are counted before it is sent. */
function read(handle: QuickJSHandle, maxBytes: number, what: string): string | undefined {
  if (vm.typeof(handle) !== 'string') return undefined
  const tooLarge = () => new RangeError(`${what} is larger than its limit of ${maxBytes} bytes.`)
  if (vm.getProp(handle, 'length').consume((length) => vm.getNumber(length)) > maxBytes) throw tooLarge()
  const text = vm.getString(handle)
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge()
  let values = 0
  let isText = false
  for (let at = 0; at < text.length; at++) {
    if (isText && text[at] === '\\') at += 1
    else if (text[at] === '"') isText = !isText
    else if (!isText && ',[{'.includes(text[at] ?? '')) values += 1
  }
  if (values > MAX_VALUES) throw new RangeError(`${what} has more values than the limit of ${MAX_VALUES}.`)
  return text
}

let inputBytes = 0
const send = vm.newFunction('send', (id, name, input) => {
  const json = read(input, MAX_INPUT_BYTES - inputBytes, "The input of the code's calls")
  inputBytes += json?.length ?? 0
  const number = vm.getNumber(id)
  if (number >= limits.maxCalls) throw new RangeError(`The code made more calls than its limit of ${limits.maxCalls}.`)
  post({ type: 'call', id: number, name: vm.getString(name), input: json })
})
const done = vm.newFunction('done', (value, logs) => {
  const json = read(value, limits.maxResultBytes, 'The result')
  post({ type: 'done', value: json, logs: read(logs, MAX_LOG_BYTES, 'The log') ?? '[]' })
})
const fail = vm.newFunction('fail', (name, message, stack) =>
  post({ type: 'failed', name: vm.getString(name), message: vm.getString(message), stack: vm.getString(stack) }),
)

const text = (value: string | undefined) => (value === undefined ? vm.undefined : vm.newString(value))
const prelude = vm.unwrapResult(vm.evalCode(PRELUDE, 'latchkey.js'))
const own = [send, done, fail, text(JSON.stringify(tools)), vm.newNumber(seed), vm.newNumber(at)]
const guest = vm.unwrapResult(vm.callFunction(prelude, vm.undefined, ...own))
const main = compile(source)

/** Returns JavaScript unchanged. Other source is read as TypeScript; its types are removed and the lines stay in place. */
function compile(body: string): QuickJSHandle | undefined {
  const code = `(async () => { ${body}\n})`
  const found = vm.evalCode(code, 'run.js')
  if (!found.error) return found.value
  try {
    const stripped = vm.evalCode(stripTypeScriptTypes(code), 'run.js')
    if (!stripped.error) return stripped.value
  } catch {
    // Not TypeScript either. QuickJS will report the syntax error with its line.
  }
  const { name = 'SyntaxError', message = '', stack = '' } = vm.dump(found.error) ?? {}
  post({ type: 'failed', name, message, stack })
  return undefined
}

/** Calls a function of the prelude, then runs all pending jobs. */
let turns = 0
function turn(name: 'start' | 'answer', ...args: QuickJSHandle[]): void {
  const result = vm.getProp(guest, name).consume((fn) => vm.callFunction(fn, vm.undefined, ...args))
  for (const handle of args) handle.dispose()
  vm.unwrapResult(result).dispose()
  const jobs = runtime.executePendingJobs()
  if (jobs.error) vm.unwrapResult(jobs)
  post({ type: 'idle', turn: ++turns })
}

parentPort?.on('message', ({ id, output, error, code, at: time }: Answer) => {
  turn('answer', vm.newNumber(id), text(output), text(error), text(code), vm.newNumber(time))
})
post({ type: 'started' })
if (main) turn('start', main)
