// `npm run scoreboard`: which cases of the security scoreboard passed in the last `npm test`, section by section.
// `npm run scoreboard -- --mutants [NN …]`: breaks each recorded defence in a scratch copy, one line at a time, and
// checks that its case turns red. It runs a test per mutant, so `npm test` runs `--quick`: every mutant can still be made,
// and one of them turns red.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { transformSync } from 'esbuild'

const root = path.join(import.meta.dirname, '..')
const { sections, gate } = readSections()
/** The case that stands for all mutants in `npm test`. */
const QUICK = [12]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mutants: { type: 'boolean' }, quick: { type: 'boolean' } },
})
process.exitCode = (
  values.quick || values.mutants
    ? fresh() && mutants(values.quick ? QUICK : positionals.map(Number))
    : score()
)
  ? 0
  : 1

/** `1-3, 7` as numbers. */
function numbersOf(text) {
  return text.split(', ').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, at) => from + at)
  })
}

function testFiles() {
  return globSync(['{packages,apps}/*/src/**/*.test.{ts,tsx}', 'e2e/*.spec.ts'], { cwd: root })
}

/**
 * The sections, as one test file of each section has them in a comment, and the cases that a release waits for. A title
 * `case NN:` that belongs to no section is an error.
 */
function readSections() {
  const texts = testFiles().map((file) => [file, readFileSync(path.join(root, file), 'utf8')])
  const head = /^\/\/ Security cases (\w), ([\d, -]+): (.*)\. A release waits for ([\d, -]+)\.$/gm
  const found = texts.flatMap(([, text]) => [...text.matchAll(head)].map(([, ...words]) => words))
  if (found.length === 0) throw new Error('No test file has a line "// Security cases …"')
  const sections = found.map(([letter, cases, name]) => [letter, name, numbersOf(cases)])
  const known = new Set(sections.flatMap(([, , numbers]) => numbers))
  for (const [file, text] of texts) {
    for (const [, number] of text.matchAll(/['"`]case (\d+):/g)) {
      if (!known.has(Number(number))) throw new Error(`${file}: case ${number} is in no section`)
    }
  }
  return {
    sections: sections.sort(([a], [b]) => a.localeCompare(b)),
    gate: found.flatMap(([, , , waited]) => numbersOf(waited)),
  }
}

/** Every recorded mutant, from `mutants/*.json`. */
function readMutants() {
  const folder = path.join(import.meta.dirname, 'mutants')
  return readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')))
}

/** What is wrong with a mutant. Its search stands in its file exactly once, and its replacement is code there. */
function fault({ file, search, replace }) {
  const full = path.join(root, file)
  const parts = existsSync(full) ? readFileSync(full, 'utf8').split(search) : []
  if (parts.length !== 2) return `must have this once: ${search}`
  if (!/\.m?[jt]sx?$/.test(file)) return undefined
  try {
    transformSync(parts.join(replace), { loader: file.endsWith('x') ? 'tsx' : 'ts', logLevel: 'silent' })
    return undefined
  } catch (error) {
    return `is no code with this: ${replace} (${error.errors?.[0]?.text ?? error})`
  }
}

/** Whether every mutant can still be made, and every case that a release waits for has one. Lists what is missing. */
function fresh() {
  const recorded = readMutants()
  const stale = recorded.filter((mutant) => {
    const found = fault(mutant)
    if (found) console.log(`case ${mutant.case}: ${mutant.file} ${found}`)
    return found
  })
  console.log(`${recorded.length - stale.length} of ${recorded.length} mutants can be made`)
  const without = gate.filter((number) => !recorded.some((mutant) => mutant.case === number))
  if (without.length > 0) console.log(`release-gate cases without a mutant: ${without.join(', ')}`)
  return recorded.length > 0 && stale.length === 0 && without.length === 0
}

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
  const recorded = readMutants()
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
    // The files that have the cases: Vitest would load every file to look for a title.
    const files = testFiles().filter((file) => {
      const text = readFileSync(path.join(root, file), 'utf8')
      return !file.startsWith('e2e/') && numbers.some((number) => text.includes(`case ${number}:`))
    })
    const baseline = test('vitest', numbers, files)
    for (const [number, found] of values.quick ? [] : test('playwright', numbers)) {
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
    console.log(`${caught} of ${chosen.length} mutants turned their case red`)
    return caught === chosen.length
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
  }
}
