// The official conformance suite: every auth scenario of core, 2026-07-28 and backcompat, at every revision,
// through each entry that an app can use. The suite's own command decides what passes.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '../..')
const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')
const suite = path.join(path.dirname(manifest), 'dist/index.js')

function run(args: string[], entry = ''): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LATCHKEY_ENTRY: entry, NODE_OPTIONS: '' }
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

const command = `"${process.execPath}" fixtures/mcp-conformance.ts`

/** The three ways in: SDK 2.x with our auth provider, any transport with our fetch, SDK 1.x with our provider. */
describe.each(['transport', 'fetch', 'sdk-1'])('%s', (entry) => {
  // SDK 1.x does not speak 2026-07-28.
  const runs = scenarios.filter(({ revision }) => entry !== 'sdk-1' || revision !== '2026-07-28')
  it.concurrent.each(runs)(
    '$name at $revision',
    async ({ name, revision }) => {
      const args = [
        'client',
        '--command',
        command,
        '--scenario',
        name,
        '--spec-version',
        revision,
        '--timeout',
        '100000',
      ]
      const { status, output } = await run(args, entry)
      expect(output).toContain('OVERALL: PASSED')
      expect(status, output).toBe(0)
    },
    120_000,
  )
})
