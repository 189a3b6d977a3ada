// All tests, in the order in which they are cheap: types, lint, unit, stories, looks, e2e. Runs every step even when one
// fails, and closes with `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ensureBrowser } from './ensure-browser.mjs'

const windows = process.platform === 'win32'
// They stay there for `npm run scoreboard`.
const reports = path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'latchkey', 'results')
rmSync(reports, { recursive: true, force: true })
mkdirSync(reports, { recursive: true })
const report = (name) => path.join(reports, `${name}.json`)

await ensureBrowser()

let passed = 0
let failed = 0
const lines = []
for (const [name, command, args, env] of [
  ['types', 'pnpm', ['run', 'x:types']],
  ['lint', 'pnpm', ['run', 'x:lint']],
  ['unit', 'pnpm', ['run', 'x:unit', '--reporter=default', '--reporter=json', `--outputFile=${report('unit')}`]],
  [
    'stories',
    'pnpm',
    ['run', 'x:stories', '--reporter=default', '--reporter=json', `--outputFile=${report('stories')}`],
  ],
  ['looks', 'pnpm', ['run', 'x:looks', '--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_NAME: report('looks') }],
  ['e2e', 'pnpm', ['run', 'x:e2e', '--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_NAME: report('e2e') }],
]) {
  console.log(`\n> ${name}`)
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: windows, env: { ...process.env, ...env } })
  const count = counted(report(name))
  // A step that failed outside its tests, or that counts nothing, counts as one.
  const bad = Math.max(count?.failed ?? 0, status === 0 ? 0 : 1)
  const good = count ? count.passed : status === 0 ? 1 : 0
  passed += good
  failed += bad
  const again = count?.flaky ? `, ${count.flaky} of them at the second try` : ''
  lines.push(`${name.padEnd(8)} ${good} passed, ${bad} failed${again}`)
}
console.log(`\n${lines.join('\n')}\n\n${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)

/** What a report of Vitest or Playwright counted. */
function counted(file) {
  if (!existsSync(file)) return undefined
  const { stats, numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8'))
  if (!stats) return { passed: numPassedTests, failed: numFailedTests + numPendingTests }
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected + stats.skipped, flaky: stats.flaky }
}
