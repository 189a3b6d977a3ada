import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

/** A file may import from its own room and from the rooms before it. Rooms of one line do not import each other. */
const ORDER = [
  ['ids'],
  ['x509', 'jwt'],
  ['bundles/bundle'],
  ['workload'],
  ['tls'],
  ['bundles/federation', 'grpc', 'channel'],
  ['identity'],
]
const ENTRIES = ['index.ts', 'tls.ts', 'grpc.ts']

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
  (file) =>
    file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('testing/') && !ENTRIES.includes(file),
)
const roomOf = (file: string) =>
  ORDER.flat().find((room) => file === `${room}.ts` || file.startsWith(`${room}/`)) ?? `no room: ${file}`
const floorOf = (room: string) => ORDER.findIndex((rooms) => rooms.includes(room))

it('each room imports only from those before it', () => {
  const seen = new Set<string>()
  const wrong: string[] = []
  for (const file of files) {
    const room = roomOf(file)
    seen.add(room)
    const source = readFileSync(path.join(import.meta.dirname, file), 'utf8')
    for (const [, imported] of source.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = roomOf(path.join(path.dirname(file), imported as string))
      if (target !== room && !(floorOf(target) >= 0 && floorOf(target) < floorOf(room)))
        wrong.push(`${file} imports ${imported}`)
    }
  }
  expect(wrong).toEqual([])
  expect([...seen].sort()).toEqual(ORDER.flat().sort())
})
