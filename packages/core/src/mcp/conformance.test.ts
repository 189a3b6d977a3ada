// The official conformance suite: every auth scenario of core, 2026-07-28 and backcompat, at every revision,
// through each entry that an app can use. The suite's own command decides what passes.
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { play, type Scenario } from '../../fixtures/mcp-conformance.ts'

const root = path.join(import.meta.dirname, '../..')
const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')
const suite = path.join(path.dirname(manifest), 'dist/index.js')

function run(args: string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const child = spawn(process.execPath, [suite, ...args], { cwd: root, env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}

// Read from the suite itself, so that none is missing: `  - auth/basic-cimd [2025-11-25,2026-07-28]`.
const listed = await run(['list', '--client'])
const scenarios = [...listed.output.matchAll(/- (auth\/\S+) \[([\d,-]+)\]/g)].flatMap(([, name, revisions]) =>
  revisions!.split(',').map((revision) => ({ name: name!, revision })),
)

it('the suite lists its scenarios', () => {
  expect(listed.status).toBe(0)
  expect(new Set(scenarios.map(({ revision }) => revision))).toEqual(
    new Set(['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']),
  )
  expect(scenarios.length).toBeGreaterThanOrEqual(44)
})

/** Plays the scenarios that the suite's commands ask for, one at a time. */
let last: Promise<unknown> = Promise.resolve()
const server = createServer(async (request, response) => {
  const scenario = JSON.parse(await text(request)) as Scenario
  // A command whose time is up does not hold up the next one.
  const gone = new Promise((resolve) => response.on('close', resolve))
  const played = last.then(() => play(scenario))
  last = Promise.race([gone, played.catch(() => {})])
  await played.then(
    () => response.end(),
    (error: Error) => response.writeHead(500).end(error.stack),
  )
})
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ;({ port } = server.address() as AddressInfo)
})
afterAll(() => server.close())

/** What each entry shows in every run: a first sign-in, and a request for more access. */
const REPRESENTATIVES = new Set(['auth/metadata-default', 'auth/scope-step-up'])

/** The three ways in: SDK 2.x with our auth provider, any transport with our fetch, SDK 1.x with our provider. */
describe.each(['transport', 'fetch', 'sdk-1'])('%s', (entry) => {
  // SDK 1.x does not speak 2026-07-28.
  const spoken = scenarios.filter(({ revision }) => entry !== 'sdk-1' || revision !== '2026-07-28')
  const newest = (name: string) => spoken.findLast((one) => one.name === name)
  // In every run each scenario at its newest revision through one entry, and a few through the others; all in the long one.
  const isNewest = (one: (typeof spoken)[number]) => one === newest(one.name)
  const isChosen = ({ name }: { name: string }) => entry === 'transport' || REPRESENTATIVES.has(name)
  const runs = process.env.TEST_ALL ? spoken : spoken.filter((one) => isNewest(one) && isChosen(one))
  it.concurrent.each(runs)(
    '$name at $revision',
    async ({ name, revision }) => {
      const args = [
        'client',
        '--command',
        `"${process.execPath}" fixtures/mcp-command.mjs ${port} ${entry}`,
        '--scenario',
        name,
        '--spec-version',
        revision,
        '--timeout',
        '100000',
      ]
      const { status, output } = await run(args)
      expect(output).toContain('OVERALL: PASSED')
      expect(status, output).toBe(0)
    },
    120_000,
  )
})
