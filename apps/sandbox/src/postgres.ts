import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface PostgresServer {
  /** URL for a role that owns the database and cannot bypass row-level security. */
  url: string
  /** URL for the superuser. */
  adminUrl: string
  /** Creates another database, for the same role. */
  createDatabase(name: string): { url: string; adminUrl: string }
  /** Everything in the database, as text. */
  dump(url?: string): string
  close(): Promise<void>
}

const DEBIAN = '/usr/lib/postgresql'

/** The directory of PostgreSQL's programs. On a Debian-like system they are installed if they are missing. */
function findPrograms(): string {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    ...(existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => path.join(DEBIAN, version, 'bin')) : []),
    '/opt/homebrew/bin',
    '/usr/local/bin',
  ]
  // All in one directory, because PATH may link only some of them.
  const complete = (folder: string) =>
    ['initdb', 'postgres', 'psql', 'pg_dump'].every((program) => existsSync(path.join(folder, program)))
  const found = folders.find(complete)
  if (found) return found
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const apt = (...args: string[]) => {
    const [command = '', ...rest] = [...sudo, 'apt-get', ...args]
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    return spawnSync(command, rest, { stdio: 'ignore', env }).status === 0
  }
  if (existsSync('/etc/debian_version') && apt('update', '-qq') && apt('install', '-y', '-qq', 'postgresql')) {
    return findPrograms()
  }
  throw new Error(
    'These tests start a PostgreSQL of their own: install it, so that initdb and postgres are on the PATH.',
  )
}

/** Starts a PostgreSQL server in a temporary folder, on a Unix socket. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = findPrograms()
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-pg-'))
  // PostgreSQL refuses to run as root.
  const asRoot = process.getuid?.() === 0
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const as = asRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {}
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid)
  const run = (program: string, ...args: string[]) =>
    execFileSync(path.join(programs, program), args, {
      ...as,
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1e9,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const data = path.join(folder, 'data')
  run('initdb', '-D', data, '-U', 'admin', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync')
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'fsync=off', '-c', 'max_connections=100']
  const server: ChildProcess = spawn(path.join(programs, 'postgres'), args, {
    ...as,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    let said = ''
    server.stderr?.on('data', (chunk) => {
      said = (said + chunk).slice(-4000)
      if (said.includes('ready to accept connections')) resolve()
    })
    server.once('exit', () => reject(new Error(`PostgreSQL did not start: ${said}`)))
  })
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)

  const urlOf = (role: string, database: string) =>
    `postgres://${role}@localhost/${database}?host=${encodeURIComponent(folder)}`
  const psql = (database: string, ...commands: string[]) =>
    run('psql', '-h', folder, '-U', 'admin', '-d', database, '-qAt', ...commands.flatMap((text) => ['-c', text]))
  psql('postgres', 'CREATE ROLE app LOGIN NOSUPERUSER NOBYPASSRLS')
  const createDatabase = (name: string) => {
    psql('postgres', `CREATE DATABASE "${name}" OWNER app`)
    return { url: urlOf('app', name), adminUrl: urlOf('admin', name) }
  }

  return {
    ...createDatabase('vault'),
    createDatabase,
    dump: (url = urlOf('admin', 'vault')) =>
      run('pg_dump', '--inserts', '-h', folder, '-U', 'admin', new URL(url).pathname.slice(1)),
    async close() {
      process.removeListener('exit', kill)
      server.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
