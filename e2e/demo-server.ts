// The demo for tests: on free ports, with a page that is built once, and access to what a thief of the vault would get.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Sandbox } from '@latchkey/sandbox'
import { startPostgres } from '@latchkey/sandbox/postgres'
import react from '@vitejs/plugin-react'
import pg from 'pg'
import { build } from 'vite'
import type { Settings } from '../apps/bench/src/restarted-app.ts'

const root = path.join(import.meta.dirname, '..')
/** The demo's page, for every server that the tests start. */
const builtPage = path.join(root, 'node_modules/.cache/latchkey/demo')

/** Where tokens and keys are kept: in the browser, or on the server in one of its stores. */
export type Custody = 'browser' | 'sqlite' | 'postgres'

/** Origins of the demo and of its stand-ins. */
export interface Addresses {
  app: string
  github: string
  google: string
  kaggle: string
  /** MCP servers by id. */
  mcp: Record<string, string>
}

export interface Demo {
  addresses: Addresses
  /** What a thief of the database and the logs would get. */
  stolen(): { database: string; log: string }
  /** Writes a text into both. */
  plant(text: string): Promise<void>
  /** Ends every connection to the PostgreSQL database, as an administrator may. Returns how many there were. */
  cut(): Promise<number>
  /** Sets its clock ahead by some milliseconds; 0 sets it right again. Timers stay as they are. */
  setAhead(ahead: number): Promise<void>
  /** Whether its process has not ended. */
  lives(): boolean
  close(): Promise<void>
}

/** Builds the pages as development sees them, React's warnings and all: from a dev server a page is hundreds of requests. */
export async function buildPage(): Promise<void> {
  const demo = path.join(root, 'apps/demo')
  const { NODE_ENV } = process.env
  process.env.NODE_ENV = 'development'
  await build({
    root: demo,
    configFile: false,
    logLevel: 'error',
    mode: 'development',
    plugins: [react()],
    build: {
      outDir: builtPage,
      emptyOutDir: true,
      minify: false,
      rollupOptions: { input: globSync('*.html', { cwd: demo }).map((file) => path.join(demo, file)) },
    },
  })
  if (NODE_ENV === undefined) delete process.env.NODE_ENV
  else process.env.NODE_ENV = NODE_ENV
}

/** Starts the demo and its stand-ins; `buildPage()` comes first. */
export async function startDemo(custody: Custody): Promise<Demo> {
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-e2e-'))
  const file = path.join(folder, 'vault.db')
  const postgres = custody === 'postgres' ? await startPostgres() : undefined
  const anyPort = { PORT: '0', GITHUB_PORT: '0', GOOGLE_PORT: '0', KAGGLE_PORT: '0', METRICS_PORT: '0', MCP_PORT: '0' }
  const vault = {
    CUSTODY: 'vault',
    TOKEN_STORE_TYPE: custody,
    TOKEN_STORE_URL: postgres?.url ?? file,
    TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  }
  const demo = fork(path.join(root, 'apps/demo/src/showcase/server/start.ts'), {
    env: {
      ...process.env,
      ...anyPort,
      DEMO_PAGE: builtPage,
      ...(custody === 'browser' ? { CUSTODY: 'browser' } : vault),
      // The scripted model answers, even if the machine has keys for a real one.
      OPENAI_API_KEY: '',
      ANTHROPIC_API_KEY: '',
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: ['--import', pathToFileURL(path.join(import.meta.dirname, 'clock.mjs')).href],
  })
  let log = ''
  for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk) => (log += chunk))
  const end = () => demo.kill()
  process.once('exit', end)
  const ended = once(demo, 'exit')
  const addresses = await Promise.race([
    once(demo, 'message').then(([message]) => message as Addresses),
    ended.then(() => Promise.reject(new Error(`The demo does not start:\n${log}`))),
  ])

  const admin = postgres && new pg.Client({ connectionString: postgres.adminUrl })
  await admin?.connect()
  return {
    addresses,
    async setAhead(ahead) {
      const set = once(demo, 'message')
      demo.send({ ahead })
      await set
    },
    lives: () => demo.exitCode === null && demo.signalCode === null,
    async cut() {
      const others = `FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
      return (await admin?.query(`SELECT pg_terminate_backend(pid) ${others}`))?.rowCount ?? 0
    },
    stolen() {
      const files = readdirSync(folder).filter((name) => name.startsWith('vault.db'))
      const read = () => files.map((name) => readFileSync(path.join(folder, name), 'latin1')).join('\n')
      return { database: postgres?.dump() ?? read(), log }
    },
    async plant(text) {
      log += text
      if (admin) await admin.query('INSERT INTO latchkey_tenants (tenant) VALUES ($1)', [text])
      else {
        const database = new DatabaseSync(file)
        database.prepare('INSERT INTO latchkey_tenants (tenant) VALUES (?)').run(text)
        database.close()
      }
    },
    async close() {
      process.removeListener('exit', end)
      demo.kill()
      await ended
      await admin?.end()
      await postgres?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The demo's app in a process that a test ends and starts again: the same origin, sessions and database. */
export interface RestartedApp {
  /** Where its page is. */
  origin: string
  settings: Settings
  /** Starts it, or starts it again. What is changed stays so. */
  start(change?: Partial<Settings>): Promise<void>
  stop(signal?: 'SIGKILL'): Promise<void>
  /** Stops it, and deletes its database. */
  close(): Promise<void>
}

/** The services that the app calls. They are in the test's process: they live on when the app ends, and they count. */
export const servicesOf = ({ github, google, kaggle }: Sandbox): Pick<Settings, 'baseUrls' | 'clients'> => ({
  baseUrls: { github: github.url, gmail: google.url, kaggle: kaggle.url },
  clients: { github: github.client, gmail: google.client },
})

/** An app that is not started yet, at a free port. */
export async function createRestartedApp(vault: boolean): Promise<RestartedApp> {
  const port = await freePort()
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-restarted-'))
  const settings: Settings = {
    ...{ port, page: builtPage, baseUrls: {}, clients: {}, mcpOrigins: [], headerOrigins: {}, vault },
    sessionSecret: randomBytes(32).toString('base64'),
  }
  let app: ChildProcess | undefined
  async function stop(signal?: 'SIGKILL') {
    if (!app) return
    const ended = once(app, 'exit')
    app.kill(signal)
    await ended
    app = undefined
  }
  return {
    origin: `http://localhost:${port}`,
    settings,
    async start(change) {
      await stop()
      Object.assign(settings, change)
      app = fork(path.join(root, 'apps/bench/src/restarted-app.ts'), {
        env: {
          ...process.env,
          SETTINGS: JSON.stringify(settings),
          TOKEN_STORE_TYPE: 'sqlite',
          TOKEN_STORE_URL: path.join(folder, 'vault.db'),
          TOKEN_ENCRYPTION_KEY: settings.sessionSecret,
        },
        execArgv: [],
      })
      const ended = once(app, 'exit').then(() => Promise.reject(new Error('The app does not start.')))
      ended.catch(() => {})
      await Promise.race([once(app, 'message'), ended])
    },
    stop,
    async close() {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
