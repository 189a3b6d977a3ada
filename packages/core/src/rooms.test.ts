// The folders of each package import one way: a room knows only the rooms before it. Types count as imports.
import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

/** Rooms from the ground up; those on one line do not know each other. A room is a folder or a file of `src`. */
const orders: Record<string, string[][]> = {
  core: [
    ['errors.ts', 'json.ts', 'names.ts', 'once.ts', 'storage.ts', 'urls.ts'],
    ['provider.ts', 'once-loaded.ts'],
    ['identities.ts', 'connect-request.ts'],
    ['snapshot.ts'],
    ['included.ts'],
    ['providers', 'agents/conditions.ts'],
    ['agents/rules.ts'],
    ['agents/oversight.ts'],
    ['agents/read-rules.ts', 'agents/standing.ts'],
    [
      'agents/advice.ts',
      'agents/endings.ts',
      'agents/presets.ts',
      'agents/preview.ts',
      'agents/readiness.ts',
      'agents/read-answers.ts',
    ],
    ['protocol'],
    ['agents/live.ts'],
    ['agents/client.ts'],
    ['accounts'],
    ['connect', 'mcp'],
    ['ending.ts'],
    ['engine.ts'],
    ['client.ts'],
    ['runtimes', 'mcp/client.ts'],
    ['index.ts', 'server.ts', 'token.ts', 'internal.ts', 'mcp/index.ts', 'agents/index.ts'],
  ],
  react: [
    ['ui', 'messages'],
    ['hooks.ts'],
    ['provider.tsx', 'use-first-messages.ts', 'use-connect.ts'],
    ['use-messages.ts', 'later.tsx'],
    ['parts'],
    ['dialogs'],
    ['connect'],
    ['panel'],
    ['menu', 'mcp'],
    ['agents'],
    ['index.ts', 'testing.ts', 'agents.ts'],
  ],
  server: [
    ['telemetry.ts', 'env.ts'],
    ['outbound', 'stores'],
    ['vault'],
    ['use'],
    ['agent'],
    ['broker'],
    [
      'index.ts',
      'vault.ts',
      'postgres.ts',
      'sqlite.ts',
      'mcp.ts',
      'code-mode.ts',
      'skills.ts',
      'testing.ts',
      'testing',
    ],
  ],
  spiffe: [
    ['ids'],
    ['x509', 'jwt'],
    ['bundles/bundle.ts'],
    ['workload'],
    ['tls'],
    ['bundles/federation.ts', 'grpc', 'channel'],
    ['identity.ts'],
    ['index.ts', 'tls.ts', 'grpc.ts', 'testing'],
  ],
}

interface Import {
  file: string
  target: string
  dynamic: boolean
}

test.each(Object.entries(orders))('the rooms of %s import one way', (name, order) => {
  const src = path.join(import.meta.dirname, '../..', name, 'src')
  const files = globSync('**/*.{ts,tsx}', { cwd: src })
    .map((file) => file.replaceAll('\\', '/'))
    // Fakes are what stories and tests stand on.
    .filter((file) => !/\.(test|test-d|stories)\.|^agents\/fake-/.test(file))
  const floorOf = (room: string) => order.findIndex((rooms) => rooms.includes(room))
  const roomOf = (file: string) => (floorOf(file) < 0 ? file.split('/')[0]! : file)
  expect(files.filter((file) => floorOf(roomOf(file)) < 0)).toEqual([])

  const imports = files.flatMap((file) =>
    [...readFileSync(path.join(src, file), 'utf8').matchAll(/(?:from|import)\s*(\(?)\s*'(\.[^']+)'/g)].map(
      ([, call, to]): Import => ({
        file,
        target: path.posix.join(path.posix.dirname(file), to!),
        dynamic: call === '(',
      }),
    ),
  )
  expect(imports.length).toBeGreaterThan(files.length)
  expect(imports.filter(({ target }) => !existsSync(path.join(src, target)))).toEqual([])

  const found = imports.filter(({ file, target }) => {
    const [here, there] = [roomOf(file), roomOf(target)]
    return here !== there && floorOf(there) >= floorOf(here)
  })
  const lines = found.map(({ file, target }) => `${name}: ${file} imports ${target}`)
  expect([...new Set(lines)]).toEqual([])

  if (name === 'react')
    expect(imports.filter(({ target, dynamic }) => dynamic && !target.includes('.lazy.'))).toEqual([])
})
