// The demo in vault custody, for the tests: its database, its log, and a back door that shows what is in both.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startPostgres } from '@latchkey/sandbox/postgres'
import pg from 'pg'

const type = process.argv[2] === 'postgres' ? 'postgres' : 'sqlite'
const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-e2e-'))
const file = path.join(folder, 'vault.db')
const postgres = type === 'postgres' ? await startPostgres() : undefined

let log = ''
const demo = spawn(process.execPath, [path.join(import.meta.dirname, '../apps/demo/src/showcase/server/start.ts')], {
  env: {
    ...process.env,
    CUSTODY: 'vault',
    TOKEN_STORE_TYPE: type,
    TOKEN_STORE_URL: postgres?.url ?? file,
    TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    VITE_CACHE_DIR: path.join(folder, 'vite'),
  },
  stdio: ['ignore', 'pipe', 'pipe'],
})
for (const stream of [demo.stdout, demo.stderr]) {
  stream.on('data', (chunk) => {
    log += chunk
    process.stdout.write(chunk)
  })
}

/** Everything that somebody who stole the database and the logs would have. */
function dump(): string {
  if (postgres) return postgres.dump()
  return readdirSync(folder)
    .filter((name) => name.startsWith('vault.db'))
    .map((name) => readFileSync(path.join(folder, name), 'latin1'))
    .join('\n')
}

async function plant(text: string): Promise<void> {
  log += text
  if (postgres) {
    const client = new pg.Client({ connectionString: postgres.adminUrl })
    await client.connect()
    await client.query('INSERT INTO latchkey_tenants (tenant) VALUES ($1)', [text])
    await client.end()
  } else {
    const database = new DatabaseSync(file)
    database.prepare('INSERT INTO latchkey_tenants (tenant) VALUES (?)').run(text)
    database.close()
  }
}

const backDoor = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  try {
    if (pathname === '/plant') await plant(searchParams.get('text') ?? '')
    response.end(JSON.stringify({ database: dump(), log }))
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
}).listen(Number(process.env.DUMP_PORT), '127.0.0.1')

const end = async () => {
  backDoor.close()
  demo.kill()
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
  process.exit()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
demo.once('exit', end)
