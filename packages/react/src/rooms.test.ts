import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

/** Files of a room may import their own room's and those of the lines above it. */
const ORDER = [
  ['ui', 'messages'],
  ['provider', 'hooks', 'use-messages'],
  ['parts'],
  ['dialogs'],
  ['connect'],
  ['panel'],
  ['menu', 'mcp'],
  ['agents'],
  ['index', 'testing'],
]

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !/\.(test|stories)\./.test(file),
)
/** A file's folder, or its own name where it lies at the top. */
const roomOf = (file: string) => file.split('/')[0]?.replace(/(\.lazy)?\.tsx?$/, '') ?? ''
const floorOf = (room: string) => ORDER.findIndex((rooms) => rooms.includes(room))

interface Import {
  from: string
  to: string
  dynamic: boolean
}

const imports = sources.flatMap((from) =>
  [...readFileSync(path.join(import.meta.dirname, from), 'utf8').matchAll(/(from |import\()'(\.[^']+)'/g)].map(
    ([, how, to = '']): Import => ({ from, to: path.join(path.dirname(from), to), dynamic: how === 'import(' }),
  ),
)

test('each file is in a room of the order, and each import leads to a file', () => {
  expect(imports.length).toBeGreaterThan(150)
  expect(sources.filter((file) => floorOf(roomOf(file)) < 0)).toEqual([])
  expect(imports.filter(({ to }) => !existsSync(path.join(import.meta.dirname, to)))).toEqual([])
})

test('no import leads to a later room, by a type or a dynamic import either', () => {
  const beside = (a: string, b: string) => a !== b && floorOf(a) !== 1
  const wrong = imports.filter(({ from, to }) => {
    const [here, there] = [roomOf(from), roomOf(to)]
    if (floorOf(here) !== floorOf(there)) return floorOf(there) > floorOf(here)
    return beside(here, there)
  })
  expect(wrong).toEqual([])
})

test('no circle of imports', () => {
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, trail: readonly string[]) => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    done.add(file)
    for (const { from, to } of imports) if (from === file) visit(to, [...trail, file])
  }
  for (const file of sources) visit(file, [])
  expect(circles).toEqual([])
})

test('a file is loaded by dynamic import exactly when its name says so', () => {
  const dynamic = new Set(imports.filter((one) => one.dynamic).map(({ to }) => to))
  expect([...dynamic].filter((file) => !file.includes('.lazy.'))).toEqual([])
})
