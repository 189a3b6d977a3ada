import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test as base } from '@playwright/test'
import { preview } from 'vite'

const root = path.join(import.meta.dirname, '..')
const built = path.join(root, '.storybook', 'dist')
/** Written when a build has ended well, with the time of its start: what was edited in between is newer. */
const stamp = path.join(built, '.built')

/** What stories and guides are made of. */
const PACKAGES = ['packages/core', 'packages/react', 'packages/server/examples', 'packages/spiffe/examples']

/** A story or a page of documentation, as Storybook's own index lists it. */
export interface StorybookEntry {
  id: string
  type: 'docs' | 'story'
  title: string
  name: string
  tags: string[]
}

interface Storybook {
  /** Without a slash at its end. One page is at `/iframe.html?id=…&viewMode=docs`, or `viewMode=story`. */
  url: string
  entries: readonly StorybookEntry[]
  close(): Promise<void>
}

/** The latest change in a folder or file; a folder changes when something in it comes, goes or gets another name. */
function changed(place: string): number {
  const facts = statSync(place)
  if (!facts.isDirectory()) return facts.mtimeMs
  const inside = readdirSync(place)
    .filter((name) => name !== 'node_modules' && name !== 'dist')
    .map((name) => changed(path.join(place, name)))
  return Math.max(facts.mtimeMs, ...inside)
}

function isFresh(): boolean {
  if (!existsSync(stamp)) return false
  // The folder of the build lies in `.storybook`, so that folder's own time says nothing: its members do.
  const settings = readdirSync(path.join(root, '.storybook')).filter((name) => name !== 'dist')
  const places = [...settings.map((name) => `.storybook/${name}`), ...PACKAGES, 'pnpm-lock.yaml']
  return Math.max(...places.map((place) => changed(path.join(root, place)))) < statSync(stamp).mtimeMs
}

/** Builds Storybook if anything is newer than the last build, and says what is in it. */
export function buildStorybook(): readonly StorybookEntry[] {
  // A worker takes what the run began with: others look at it.
  if (process.env.TEST_WORKER_INDEX === undefined && !isFresh()) {
    const start = new Date()
    const { status } = spawnSync('pnpm', ['run', 'x:storybook-build'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    })
    if (status !== 0) throw new Error('Storybook does not build: see its output above')
    writeFileSync(stamp, '')
    utimesSync(stamp, start, start)
  }
  const { entries } = JSON.parse(readFileSync(path.join(built, 'index.json'), 'utf8')) as {
    entries: Record<string, StorybookEntry>
  }
  return Object.values(entries)
}

/** Builds Storybook if it must, and serves it on a free port until `close()`. */
async function storybook(): Promise<Storybook> {
  const entries = buildStorybook()
  const server = await preview({
    configFile: false,
    root,
    appType: 'mpa',
    logLevel: 'warn',
    build: { outDir: built },
    preview: { host: '127.0.0.1', port: 0 },
  })
  const { port } = server.httpServer.address() as { port: number }
  return { url: `http://127.0.0.1:${port}`, entries, close: () => server.close() }
}

/** A worker serves the built Storybook to itself. */
export const test = base.extend<object, { book: Storybook }>({
  book: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads here which fixtures are needed.
    async ({}, use) => {
      const book = await storybook()
      await use(book)
      await book.close()
    },
    { scope: 'worker', timeout: 300_000 },
  ],
})
