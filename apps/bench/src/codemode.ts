// `npm run bench codemode`: what a run of code mode costs, and the longest stop of the event loop under values that are too
// large. Read the stops as an upper bound: other load on the machine counts as well.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { AgentContext, withAccount } from '@latchkey/server'
import { createCodeMode } from '@latchkey/server/code-mode'

const RUNS = 30
const MB = 1024 * 1024

const self = new Map<number, unknown>()
self.set(1, self).set(2, self)
const results: Record<string, () => unknown> = {
  'a Map that holds itself twice': () => self,
  'new Array(4294967295)': () => new Array(4_294_967_295),
  '20 sparse arrays of 33 M': () => Array.from({ length: 20 }, () => new Array(34_000_000)),
  '90,000 objects': () => Array.from({ length: 90_000 }, (_, id) => ({ id })),
  '3.5 MB of text': () => 'x'.repeat(3.5 * MB),
}
const tools = Object.fromEntries(Object.entries(results).map(([name, execute]) => [name, { execute }]))
const sources = {
  'return new Array(4294967295)': 'return new Array(4294967295)',
  'a Map that holds itself twice': 'const map = new Map(); map.set(1, map).set(2, map); return map',
  '20 sparse arrays of 33 M': 'return Array.from({ length: 20 }, () => new Array(33e6))',
  'a result of 99,000 values': 'return Array.from({ length: 33000 }, (_, id) => ({ id, a: 1 }))',
  '10 parallel answers of 3.5 MB':
    'return Promise.all(Array.from({ length: 10 }, () => tools["3.5 MB of text"]().then(({ length }) => length, String)))',
  ...Object.fromEntries(
    Object.keys(results).map((name) => [`a tool: ${name}`, `return (await tools[${JSON.stringify(name)}]()).length`]),
  ),
}

const mode = createCodeMode({ tools })
const context = AgentContext.fromIdentities([{ provider: 'github', accessToken: 'gho_1234567890abcdefghij' }])

const times: number[] = []
for (let round = 0; round < RUNS; round++) {
  const from = performance.now()
  await context.run(() => mode.run({ source: 'return 1' }))
  times.push(performance.now() - from)
}
times.sort((a, b) => a - b)
const from = performance.now()
await context.run(() => Promise.all(Array.from({ length: 100 }, () => mode.run({ source: 'return 1' }))))
console.log('code mode: milliseconds per run')
console.log(`  alone, median of ${RUNS}      ${times[RUNS / 2]?.toFixed(1)}`)
console.log(`  of 100 at once         ${((performance.now() - from) / 100).toFixed(1)}`)

/** Milliseconds of the longest stop while `fn` runs. */
async function longestStop(fn: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await context.run(fn).catch(() => {})
  delay.disable()
  return delay.max / 1e6
}

console.log('the longest stop of the event loop, in milliseconds (at most 100 are the aim)')
let worst = 0
const report = async (name: string, fn: () => Promise<unknown>) => {
  const stop = await longestStop(fn)
  worst = Math.max(worst, stop)
  console.log(`  ${name.padEnd(46)} ${stop.toFixed(0).padStart(5)}`)
}
for (const [name, source] of Object.entries(sources)) await report(name, () => mode.run({ source }))
for (const [name, make] of Object.entries(results)) {
  await report(`withAccount: ${name}`, async () =>
    withAccount({ provider: 'github', toolName: 'tool', effect: 'read' }, make)({}, {}),
  )
}
if (worst > 1000) process.exitCode = 1
