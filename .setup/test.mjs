// `npm test -- [STEP] [FILTER …]`: every step in the order in which they are cheap, or one step, or what of one step the
// filter names (files or titles, as the step's own runner takes them). `--all` adds what takes long. Steps that do not
// keep two cores busy run two at a time. A step that fails does not stop those after it. Closes with
// `N passed, N failed`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ensureBrowser } from './ensure-browser.mjs'

const windows = process.platform === 'win32'

const vitest = (script) => ({
  script,
  browser: script === 'x:stories',
  filtered: true,
  reporters: (file) => [['--reporter=default', '--reporter=json', `--outputFile=${file}`], {}],
})
const playwright = (script) => ({
  script,
  browser: true,
  filtered: true,
  reporters: (file) => [['--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_NAME: file }],
})
/**
 * The steps by name: the script of package.json, whether its arguments can be a filter, and whether another step can run
 * beside it.
 */
const steps = {
  types: { script: 'x:types', beside: true },
  lint: { script: 'x:lint', filtered: true, beside: true },
  unused: { script: 'x:unused', beside: true },
  documented: { script: 'x:documented', beside: true },
  mutants: { script: 'x:mutants', filtered: true, beside: true },
  size: { script: 'x:size', browser: true, check: ['--check'], filtered: true, beside: true },
  api: { script: 'x:api', check: ['--check'], beside: true },
  unit: vitest('x:unit'),
  stories: vitest('x:stories'),
  looks: playwright('x:looks'),
  e2e: playwright('x:e2e'),
}
/** One engine and one mutant stand for these in every run; `--all` has the rest. */
const long = {
  engines: { script: 'x:engines' },
  'all-mutants': { script: 'x:scoreboard', check: ['--mutants'], filtered: true },
}

const everything = process.argv[2] === '--all'
const [only, ...filter] = process.argv.slice(everything ? 3 : 2)
const known = { ...steps, ...long }
if (only && !Object.hasOwn(known, only)) {
  console.error(`There is no step "${only}": npm test -- [${Object.keys(known).join('|')}] [filter]`)
  process.exit(2)
}
if (filter.length > 0 && !known[only].filtered) {
  console.error(`The step "${only}" takes no filter.`)
  process.exit(2)
}
const chosen = only ? { [only]: known[only] } : everything ? known : steps

// Whole runs stay there for `npm run scoreboard`; a part is not the run that it counts.
const kept = path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'latchkey')
/** What Node compiled, for the hundreds of processes that tests start. */
const compiled = path.join(kept, 'compiled')
const reports = path.join(kept, filter.length > 0 ? 'partial' : 'results')
if (!only || filter.length > 0) rmSync(reports, { recursive: true, force: true })
mkdirSync(reports, { recursive: true })

if (Object.values(chosen).some(({ browser }) => browser)) await ensureBrowser()

const results = new Map()
const waiting = Object.entries(chosen).filter(([, { beside }]) => beside)
const lane = async () => {
  for (let next = waiting.shift(); next; next = waiting.shift()) await run(...next, only ? 'inherit' : 'pipe')
}
await Promise.all([lane(), lane()])
for (const [name, step] of Object.entries(chosen)) if (!step.beside) await run(name, step, 'inherit')

let passed = 0
let failed = 0
console.log()
for (const name of Object.keys(chosen)) {
  const { good, bad, line } = results.get(name)
  passed += good
  failed += bad
  console.log(line)
}
for (const [name, { troubled }] of results) for (const test of troubled) console.log(`\n${name}: ${test}`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)

/** Runs a step. What it prints is shown as it comes, or (`pipe`) in one piece at its end. */
async function run(name, { script, reporters, check = [] }, output) {
  if (output === 'inherit') console.log(`\n> ${name}`)
  const file = path.join(reports, `${name}.json`)
  rmSync(file, { force: true })
  const [more, env] = reporters?.(file) ?? [check, {}]
  const start = Date.now()
  const child = spawn('pnpm', ['run', script, ...more, ...filter], {
    stdio: ['inherit', output, output],
    shell: windows,
    env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...(everything && { TEST_ALL: '1' }), ...env },
  })
  let printed = ''
  const keep = (chunk) => (printed += chunk)
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', keep)
  const [status] = await once(child, 'close')
  if (output === 'pipe') console.log(`\n> ${name}\n${printed}`)
  const count = counted(file)
  // A step that failed outside its tests, or that counts nothing, counts as one.
  const bad = Math.max(count?.failed ?? 0, status === 0 && (!reporters || count) ? 0 : 1)
  const good = count ? count.passed : status === 0 ? 1 : 0
  const again = count?.flaky ? `, ${count.flaky} of them at the second try` : ''
  const seconds = Math.round((Date.now() - start) / 1000)
  const line = `${name.padEnd(11)} ${good} passed, ${bad} failed${again} (${seconds} s)`
  results.set(name, { good, bad, line, troubled: count?.troubled ?? [] })
}

/** What a report of Vitest or Playwright counted, and each test that failed (also at its first try) with its reason. */
function counted(file) {
  if (!existsSync(file)) return undefined
  const report = JSON.parse(readFileSync(file, 'utf8'))
  const { stats, numPassedTests, numFailedTests, numPendingTests } = report
  const reason = (text = '') => text.split('\n').slice(0, 12).join('\n')
  if (!stats) {
    const all = report.testResults.flatMap(({ assertionResults }) => assertionResults)
    const troubled = all
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => `${fullName}\n${reason(failureMessages[0])}`)
    // With a filter, Vitest reports what it left out as pending.
    return { passed: numPassedTests, failed: numFailedTests + (filter.length > 0 ? 0 : numPendingTests), troubled }
  }
  /** Tests under their whole name: stories of several components have the same one. */
  const specs = ({ specs: own = [], suites = [] }, above = '') => [
    ...own.map((spec) => ({ ...spec, title: `${above}${spec.title}` })),
    ...suites.flatMap((suite) => specs(suite, `${above}${suite.title} › `)),
  ]
  const troubled = specs(report).flatMap(({ title, tests }) =>
    tests
      .flatMap(({ results: tries }) => tries)
      .filter(({ error }) => error)
      .map(({ error }) => `${title}\n${reason(error.message)}`),
  )
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected + stats.skipped,
    flaky: stats.flaky,
    troubled,
  }
}
