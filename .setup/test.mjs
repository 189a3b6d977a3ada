// All tests, in the order in which they are cheap: types, lint, unit, stories, e2e. Runs every step even when one
// fails, and closes with `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'

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
  lines.push(`${name.padEnd(8)} ${good} passed, ${bad} failed`)
}
console.log(`\n${lines.join('\n')}\n\n${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)

/** What a report of Vitest or Playwright counted. */
function counted(file) {
  if (!existsSync(file)) return undefined
  const { stats, numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8'))
  if (!stats) return { passed: numPassedTests, failed: numFailedTests + numPendingTests }
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected + stats.skipped }
}

/** Finds a Chromium, or installs one: from Debian's packages as root, else Playwright's own. */
async function ensureBrowser() {
  const { executablePath } = await import('./browser.mjs')
  if (executablePath) return
  const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
  const sudo = process.getuid?.() === 0 ? [] : works('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined
  if (sudo && existsSync('/etc/debian_version') && works('apt-get', ['--version'])) {
    const apt = (...args) => {
      const [command, ...rest] = [...sudo, 'apt-get', ...args]
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
      return spawnSync(command, rest, { stdio: 'inherit', env }).status === 0
    }
    console.log('> apt-get install chromium')
    apt('update', '-qq')
    if (apt('install', '-y', '-qq', '--no-install-recommends', 'chromium')) return
  }
  spawnSync('pnpm', ['exec', 'playwright', 'install', 'chromium'], { stdio: 'inherit', shell: windows })
}
