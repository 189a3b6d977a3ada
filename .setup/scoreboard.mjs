// `npm run scoreboard`: which cases of the security scoreboard passed in the last `npm test`, section by section.
// `npm run scoreboard -- --mutants [NN …]`: breaks each recorded defence in a scratch copy, one line at a time, and
// checks that its case turns red. Not for CI: it runs a test per mutant.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const root = path.join(import.meta.dirname, '..')
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => from + at)
const sections = [
  ['A', 'Authorization request and callback', range(1, 32)],
  ['B', 'Popup and messaging', range(33, 50)],
  ['C', 'Browser storage', range(51, 65)],
  ['D', 'Refresh', range(66, 78)],
  ['E', 'Agent use of tokens', range(79, 93)],
  ['F', 'Leaks', range(94, 103)],
  ['G', 'Broker and vault', range(104, 129)],
  ['H', 'SSRF, discovery, registration', range(130, 148)],
  ['S', 'SPIFFE', range(155, 176)],
]
/** The cases that a release waits for. */
const gate = [
  ...[...range(1, 16), 20, 25, 33, 36, ...range(38, 41), 44, 51, 58, ...range(66, 68), 72],
  ...[...range(79, 83), ...range(94, 97), ...range(104, 111), ...range(115, 118)],
  ...[...range(130, 134), ...range(138, 141), 155, ...range(165, 172)],
]

const { values, positionals } = parseArgs({ allowPositionals: true, options: { mutants: { type: 'boolean' } } })
process.exitCode = (values.mutants ? mutants(positionals.map(Number)) : score()) ? 0 : 1

/** What the reports in a folder say: every test with its title, its file, and whether it passed. */
function readResults(folder) {
  const tests = []
  const json = (name) => {
    const file = path.join(folder, `${name}.json`)
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  }
  for (const name of ['unit', 'stories']) {
    for (const { name: file, assertionResults } of json(name)?.testResults ?? []) {
      for (const { title, status } of assertionResults) {
        tests.push({ runner: 'vitest', title, file, passed: status === 'passed', failed: status === 'failed' })
      }
    }
  }
  const visit = ({ suites = [], specs = [] }) => {
    for (const { title, file, ok, tests: runs } of specs) {
      const ran = runs.some(({ status }) => status !== 'skipped')
      tests.push({ runner: 'playwright', title, file, passed: ok && ran, failed: !ok && ran })
    }
    suites.forEach(visit)
  }
  visit(json('e2e') ?? {})
  return tests
}

/** Tests by the number in their title, `case NN: …`. */
function byCase(tests) {
  const cases = new Map()
  for (const test of tests) {
    const number = Number(/^case (\d+):/.exec(test.title)?.[1])
    if (number) cases.set(number, [...(cases.get(number) ?? []), test])
  }
  return cases
}

function score() {
  const results = path.join(root, 'node_modules', '.cache', 'latchkey', 'results')
  const tests = readResults(results)
  if (tests.length === 0) {
    console.error('There are no test results yet: run `npm test` first.')
    return false
  }
  const cases = byCase(tests)
  const list = (numbers) => numbers.join(', ')
  let [passed, total] = [0, 0]
  for (const [letter, name, numbers] of sections) {
    const missing = numbers.filter((number) => !cases.has(number))
    const red = numbers.filter((number) => cases.get(number)?.some((test) => !test.passed))
    const good = numbers.length - missing.length - red.length
    passed += good
    total += numbers.length
    const notes = [missing.length > 0 && `no test: ${list(missing)}`, red.length > 0 && `not passed: ${list(red)}`]
    const line = `${letter}  ${name.padEnd(36)} ${`${good}/${numbers.length}`.padStart(5)}  ${notes.filter(Boolean).join(' · ')}`
    console.log(line.trimEnd())
  }
  console.log(`   ${'All'.padEnd(36)} ${`${passed}/${total}`.padStart(5)}`)
  return passed === total
}

/** Applies each mutant in a scratch copy of the work tree and expects its case to fail there. */
function mutants(only) {
  const folder = path.join(import.meta.dirname, 'mutants')
  const recorded = readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')))
  const chosen = only.length > 0 ? recorded.filter((mutant) => only.includes(mutant.case)) : recorded
  const scratch = mkdtempSync(path.join(tmpdir(), 'latchkey-mutants-'))
  const reports = path.join(scratch, 'node_modules', '.cache', 'latchkey', 'results')
  const run = (command, args, env) =>
    spawnSync(command, args, {
      cwd: scratch,
      encoding: 'utf8',
      env: { ...process.env, ...env },
      shell: process.platform === 'win32',
    })
  /** Runs cases by number, all of them or those of one file, and says what each test did. */
  const test = (runner, numbers, file = []) => {
    rmSync(reports, { recursive: true, force: true })
    mkdirSync(reports, { recursive: true })
    const titles = `case (${numbers.join('|')}):`
    if (runner === 'vitest') {
      const json = `--outputFile=${path.join(reports, 'unit.json')}`
      run('pnpm', ['exec', 'vitest', 'run', '--project', 'unit', '--reporter=json', json, '-t', titles, ...file])
    } else {
      const env = { PLAYWRIGHT_JSON_OUTPUT_NAME: path.join(reports, 'e2e.json'), E2E_PORT: '8273' }
      // What runs before the case in a file that is one story belongs to it.
      run(
        'pnpm',
        ['exec', 'playwright', 'test', '-c', 'e2e', '--reporter=json', '-g', `${titles}|whole session`, ...file],
        env,
      )
    }
    return byCase(readResults(reports))
  }

  try {
    const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
      cwd: root,
      encoding: 'utf8',
    })
    for (const file of stdout.split('\0').filter((name) => name && existsSync(path.join(root, name)))) {
      cpSync(path.join(root, file), path.join(scratch, file))
    }
    // Biome and others look for the root of a repository.
    run('git', ['init', '-q'])
    const installed = run('pnpm', ['install', '--frozen-lockfile', '--prefer-offline'])
    if (installed.status !== 0) throw new Error(installed.stdout + installed.stderr)

    const numbers = [...new Set(chosen.map((mutant) => mutant.case))]
    console.log(`> ${numbers.length} cases as they are`)
    const baseline = test('vitest', numbers)
    for (const [number, found] of test('playwright', numbers)) {
      baseline.set(number, [...(baseline.get(number) ?? []), ...found])
    }

    let caught = 0
    const escaped = new Set(numbers)
    for (const mutant of chosen) {
      const { case: number, file, search, replace, prepare } = mutant
      const full = path.join(scratch, file)
      const original = readFileSync(full, 'utf8')
      const before = (baseline.get(number) ?? []).filter(({ title }) => !mutant.title || title.includes(mutant.title))
      let verdict
      if (before.length === 0) verdict = 'has no test'
      else if (before.some((one) => !one.passed)) verdict = 'is red without the mutant'
      else if (original.split(search).length !== 2)
        verdict = `is stale: ${file} has "${search}" ${original.split(search).length - 1} times`
      else {
        writeFileSync(
          full,
          original.replace(search, () => replace),
        )
        const generated = prepare && run('pnpm', prepare)
        const [{ runner }] = before
        const files = new Set(before.filter((one) => one.runner === runner).map(({ file: from }) => from))
        const from = [...files].map((name) => (runner === 'vitest' ? path.relative(scratch, name) : name))
        const after = test(runner, [number], from).get(number) ?? []
        if (generated && generated.status !== 0) verdict = `could not be prepared: ${generated.stderr}`
        else if (after.length === 0) verdict = 'stopped the tests from running'
        else verdict = after.some(({ failed }) => failed) ? 'red' : 'STILL GREEN'
        writeFileSync(full, original)
        if (prepare) run('pnpm', prepare)
      }
      if (verdict === 'red') {
        caught++
        escaped.delete(number)
      }
      console.log(`case ${String(number).padEnd(4)} ${file}: ${verdict}`)
    }
    const without = gate.filter((number) => !recorded.some((mutant) => mutant.case === number))
    if (only.length === 0 && without.length > 0)
      console.log(`release-gate cases without a mutant: ${without.join(', ')}`)
    console.log(`${caught} of ${chosen.length} mutants turned their case red`)
    return caught === chosen.length && (only.length > 0 || without.length === 0)
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
  }
}
