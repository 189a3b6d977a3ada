// `node .setup/run.mjs TASK [ARGUMENTS]`: sets up what TASK needs, then runs it. Needs only Node >= 18 and npm.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const tasks = {
  demo: ['x:demo'],
  storybook: ['x:storybook'],
  'storybook:build': ['x:storybook-build'],
  size: ['x:size'],
  api: ['x:api'],
  bench: ['x:bench'],
  engines: ['x:engines'],
  scoreboard: ['x:scoreboard'],
}
const [task, ...more] = process.argv.slice(2)
if (task !== 'test' && !tasks[task]) {
  console.error(`usage: node .setup/run.mjs ${['test', ...Object.keys(tasks)].join('|')}`)
  process.exit(2)
}

const here = path.dirname(fileURLToPath(import.meta.url))
const windows = process.platform === 'win32'
process.chdir(path.join(here, '..'))

/** Runs a command to its end; stops the whole script if it fails. */
function must(command, args, options = {}) {
  console.log(`> ${[command, ...args].join(' ')}`)
  const result = spawnSync(command, args, { stdio: 'inherit', shell: windows, ...options })
  if (result.error) throw result.error
  if (result.status !== 0) process.exit(result.status ?? 1)
}

/** Installs tools/NAME from its lockfile, once per lockfile, and puts its programs first on the PATH. */
function tool(name) {
  const folder = path.join(here, 'tools', name)
  const stamp = path.join(folder, 'node_modules', '.stamp')
  const lock = readFileSync(path.join(folder, 'package-lock.json'))
  const wanted = createHash('sha256').update(lock).digest('hex') + process.arch
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    must('npm', ['ci', '--no-progress', '--loglevel=error'], { cwd: folder })
    writeFileSync(stamp, wanted)
  }
  const key = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
  process.env[key] = path.join(folder, 'node_modules', '.bin') + path.delimiter + process.env[key]
}

function nodeIsNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major >= 26 || (major === 24 && minor >= 15)
}

tool('pnpm')
if (!nodeIsNewEnough()) tool('node')
must('pnpm', ['install', '--frozen-lockfile'])
// From here on the Node of the PATH runs things, which may be newer than the one that runs this file.
const [command, args] =
  task === 'test' ? ['node', [path.join(here, 'test.mjs'), ...more]] : ['pnpm', ['run', ...tasks[task], ...more]]
// Without a terminal nobody signals the whole process group for us, so make one and do it ourselves.
const group = !windows && !process.stdin.isTTY
const child = spawn(command, args, { stdio: 'inherit', shell: windows, detached: group })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => (group ? process.kill(-child.pid, signal) : child.kill(signal)))
}
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
