// `node src/redact.ts`: what it costs to redact a text, per MB, and the longest time that it keeps other work waiting.
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { ReadableStream as NodeStream } from 'node:stream/web'
import { LatchkeyError, redact } from '@latchkey/core'
import { createRedactor } from '@latchkey/server'
// What its package does not export.
import { createTripwire } from '../../../packages/server/src/agent/tripwire.ts'
import { finderOf } from '../../../packages/server/src/outbound/redact/redactor.ts'
import { median } from './read.ts'

const MB = 1024 * 1024
/** Milliseconds that nothing may keep the event loop. */
const MAX_STOP = 100
const secrets = [`ghp_${randomBytes(27).toString('base64url')}`, randomBytes(600).toString('base64url')]
const { text, later } = createRedactor(secrets)
const [short = '', long = ''] = secrets

const inputs: Record<string, string> = {
  'JSON of an API': JSON.stringify({
    id: 1815,
    name: 'Ada Lovelace',
    bio: 'wrote\nnotes',
    url: 'https://a.test/?q=%20',
  }),
  'secrets only': `${short} `,
  'starts of a secret': long.slice(0, -1),
  'escapes, never finished': '%25',
  'white space': ' \n',
}

function measure(run: () => unknown): number {
  const started = performance.now()
  run()
  return performance.now() - started
}

async function longestStop(run: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await run()
  // The histogram learns of a delay when its timer fires.
  await new Promise((resolve) => setTimeout(resolve, 5))
  delay.disable()
  return delay.max / 1e6
}

const cell = (value: number) => value.toFixed(1).padStart(8)
const failures: string[] = []
console.log('redact: two secrets of 40 and 800 characters; milliseconds')
console.log(`  ${''.padEnd(26)}  1 MB at once  4 MB at once  per MB  longest stop, 4 MB in pieces`)
for (const [name, piece] of Object.entries(inputs)) {
  const of = (size: number) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size)
  text(of(MB))
  const [small, large] = [MB, 4 * MB].map((size) => measure(() => text(of(size)))) as [number, number]
  const stop = await longestStop(() => later(of(4 * MB)))
  console.log(`  ${name.padEnd(26)}  ${cell(small)}      ${cell(large)}  ${cell(large / 4)}  ${cell(stop)}`)
  if (large > 12 * small) failures.push(`${name}: four times the text took ${(large / small).toFixed(1)} times as long`)
  if (stop > MAX_STOP) failures.push(`${name}: the event loop stood still for ${stop.toFixed(0)} ms`)
}

console.log("  a server's words in an error, 240 kB")
for (const piece of ['eyJ-', 'token', 'code=', 'Bearer ', 'a.b-c']) {
  const words = piece.repeat(240_000 / piece.length)
  const whole = measure(() => redact(words))
  const error = measure(() => new LatchkeyError('invalid_grant', 'Refused.', { detail: words }))
  console.log(`  ${piece.padEnd(26)}  redact ${cell(whole)}  LatchkeyError ${cell(error)}`)
  if (Math.max(whole, error) > MAX_STOP)
    failures.push(`${piece}: the event loop stood still for ${whole.toFixed(0)} ms`)
}

/** MB per second of CPU, which other work of the machine does not take away. */
async function speed(run: () => Promise<unknown>, megabytes: number): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < 9; round++) {
    const before = process.threadCpuUsage()
    await run()
    const { user, system } = process.threadCpuUsage(before)
    rates.push((megabytes * 1e6) / (user + system))
  }
  return median(rates)
}

const prose = 'The quick brown fox jumps over the lazy dog, and then it writes a long letter to its "friend". '
const chunkOf = (piece: string, size: number) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size)
const deltas = Array.from({ length: 4000 }, (_, at) => {
  const delta = prose.slice((at * 7) % 60, ((at * 7) % 60) + 24)
  return `data: ${JSON.stringify({ type: 'text-delta', id: 'msg_1', delta })}\n\n`
})
const answers: Record<string, { type: string; chunks: string[] }> = {
  'text, 16 kB at a time': { type: 'text/plain', chunks: Array(512).fill(chunkOf(prose, 16_384)) },
  'JSON of an API, 64 kB at a time': {
    type: 'application/json',
    chunks: Array(128).fill(chunkOf(inputs['JSON of an API'] ?? '', 65_536)),
  },
  'events of 24 characters': { type: 'text/event-stream', chunks: deltas },
}
console.log('  the tripwire before an answer leaves, MB per second of CPU (at least 200 of text are the aim)')
const utf8 = new TextEncoder()
for (const [name, { type, chunks }] of Object.entries(answers)) {
  const bytes = chunks.map((chunk) => utf8.encode(chunk))
  const megabytes = bytes.reduce((sum, { length }) => sum + length, 0) / MB
  const response = () => new Response(NodeStream.from(bytes) as BodyInit, { headers: { 'content-type': type } })
  const drain = async (answer: Response) => {
    let size = 0
    for await (const chunk of answer.body ?? []) size += chunk.length
    if (size !== Math.round(megabytes * MB)) throw new Error('It is not the same answer.')
  }
  const { watch } = createTripwire(
    () => secrets,
    async () => {
      throw new Error('There is no secret in it.')
    },
  )
  const bare = await speed(() => drain(response()), megabytes)
  const watched = await speed(() => drain(watch(response())), megabytes)
  const search = finderOf(secrets, 16)
  const texts = bytes.map((chunk) => Buffer.from(chunk).toString('latin1'))
  const alone = await speed(async () => texts.map((one) => search(one, true)), megabytes)
  const shown = [bare, watched, alone].map((value) => value.toFixed(0).padStart(6))
  console.log(`  ${name.padEnd(34)} unread ${shown[0]}   watched ${shown[1]}   its search alone ${shown[2]}`)
}
for (const failure of failures) console.error(failure)
if (failures.length > 0) process.exitCode = 1
