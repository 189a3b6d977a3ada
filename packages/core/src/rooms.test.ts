// The folders of each package import one way: a room knows only the rooms before it. Types count as imports.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const packages = path.join(import.meta.dirname, '..', '..')

/** Rooms from the ground up; those on one line may not know each other. A room is a folder of `src` or a module. */
const orders: Record<string, string[][]> = {
  core: [
    ['errors', 'storage', 'urls'],
    ['provider'],
    ['identities'],
    ['snapshot'],
    ['providers'],
    ['protocol'],
    ['accounts'],
    ['connect', 'mcp'],
    ['client'],
    ['runtimes'],
    ['index', 'server'],
  ],
  react: [
    ['ui', 'messages'],
    ['provider'],
    ['hooks'],
    ['parts'],
    ['dialogs'],
    ['connect'],
    ['panel'],
    ['menu', 'mcp'],
    ['agents'],
    ['index', 'testing'],
  ],
  server: [
    ['telemetry'],
    ['outbound', 'stores'],
    ['vault'],
    ['use'],
    ['agent'],
    ['broker'],
    ['env'],
    ['index', 'testing', 'mcp', 'skills', 'code-mode', 'postgres', 'sqlite'],
  ],
  spiffe: [
    ['ids'],
    ['x509', 'jwt'],
    ['bundles'],
    ['workload'],
    ['tls'],
    ['bundles/federation', 'grpc', 'channel'],
    ['identity'],
    ['testing'],
    ['index'],
  ],
}

const list = path.join(import.meta.dirname, '../../../.setup/rooms.json')
/** Imports that go up or sideways today: the list only gets shorter. `ROOMS=list` writes it anew. */
const debt = (): Record<string, string[]> => JSON.parse(readFileSync(list, 'utf8'))

for (const [name, order] of Object.entries(orders)) {
  test(`the rooms of ${name} import one way`, () => {
    const src = path.join(packages, name, 'src')
    const files = globSync('**/*.{ts,tsx}', { cwd: src }).filter((file) => !/\.(test|test-d|stories)\./.test(file))
    expect(files.length).toBeGreaterThan(10)
    const floors = new Map(order.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)))
    const roomOf = (file: string) => {
      const module = file.replace(/(\.lazy)?\.tsx?$/, '')
      return floors.has(module) ? module : module.split('/')[0]!
    }
    const found = new Set<string>()
    for (const file of files) {
      const room = roomOf(file)
      const floor = floors.get(room)
      if (floor === undefined) found.add(`${room} is not in the order`)
      const text = readFileSync(path.join(src, file), 'utf8')
      for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
        const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier!))
        if (target.startsWith('..') || !existsSync(path.join(src, target))) continue
        const other = roomOf(target)
        if (other === room || floor === undefined) continue
        if ((floors.get(other) ?? -1) >= floor) found.add(`${file} imports ${target}`)
      }
    }
    if (process.env.ROOMS === 'list')
      writeFileSync(list, JSON.stringify({ ...debt(), [name]: [...found].sort() }, null, 2))
    expect([...found].filter((line) => !debt()[name]?.includes(line)).sort()).toEqual([])
  })
}
