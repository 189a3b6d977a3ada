import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LatchkeyError, type Provider } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { createRedactor, type Redactor, secretsOf } from '../../outbound/redact/redactor.ts'
import type { Ending, Failure } from '../../use/endings.ts'
import { judgedTool } from '../../use/tools.ts'
import { type OnUse, openToken, type RecordUse, recorded, recorderOf, type UsedAccount } from '../account-fetch.ts'
import { AgentContext, type AuthorizedCall, type Outlook } from '../context.ts'
import { checkNamed, getIdentityEnv, namedFor, providerOfName } from '../environment.ts'
import { failureOf } from '../failure.ts'
import { type CallPlace, placeOf } from '../place.ts'
import { AuthorizationRequired } from '../required.ts'
import type { AgentToken } from '../token.ts'
import { askedAhead, firstRefusal, ofToolCall } from '../tool-approval.ts'

/** The manifest of a skill, `skill.json`. */
export interface SkillManifest {
  name: string
  description?: string
  /** The program, found on the PATH, and its arguments. An argument that names a file of the skill becomes its full path. */
  command: readonly [string, ...string[]]
  /** Environment variables of the accounts that it needs, such as `KAGGLE_TOKEN`. It gets no other tokens. */
  tokens?: readonly string[]
  /** Those of `tokens` that may be missing. */
  optional?: readonly string[]
  /** Required scopes by provider id. */
  scopes?: Readonly<Record<string, readonly string[]>>
  /**
   * The working directory, inside the skill's folder.
   *
   * @default a new, empty folder for each run, removed afterwards
   */
  directory?: string
}

/** Limits of one run. */
export interface SkillLimits {
  /**
   * Maximum milliseconds of the run. It ends also if this process is killed or stopped, in whole seconds and not on Windows.
   *
   * @default 30_000
   */
  timeoutMs?: number
  /**
   * Maximum bytes of stdout and stderr together.
   *
   * @default 1_048_576
   */
  maxOutputBytes?: number
  /**
   * Maximum bytes of data memory. Enforced on Linux only. Node needs 600 MiB.
   *
   * It is the limit of all processes of the run together if this process may create a cgroup: as root of a container with a
   * writable `/sys/fs/cgroup`, or in a systemd service with `Delegate=yes`. Elsewhere it is the limit of each process, and
   * many processes together may take more: limit the container that this process runs in.
   *
   * @default 1_073_741_824
   */
  maxMemoryBytes?: number
  /**
   * Maximum bytes of each file that it writes. Not enforced on Windows.
   *
   * It is also the limit of the run's own folder if this process is root on Linux and may create namespaces: the folder is
   * then in memory. Elsewhere many files together may take more: run skills where the disk has a quota.
   *
   * @default 268_435_456
   */
  maxDiskBytes?: number
}

/** Options of {@link Skill.run}. */
export interface RunSkillOptions {
  /** Written to the skill's stdin as JSON. */
  input?: unknown
  /**
   * The strongest thing that the skill does with the accounts. The manifest cannot say it: a skill may be another's work.
   *
   * @default 'write'
   */
  effect?: Effect
  /**
   * Whose accounts are used.
   *
   * @default AgentContext.current()
   */
  context?: AgentContext
  /** Providers whose `envNames` are recognized in addition to the well-known names. */
  providers?: readonly Provider[]
  /**
   * Which of several accounts a declared token is of, by label or id of `context.accountsOf`: `{ GITHUB_TOKEN: 'work' }`. Server
   * code says it: neither the manifest nor the input of the skill can. Tokens that belong together, such as `KAGGLE_USERNAME`
   * and `KAGGLE_KEY`, need the same one.
   *
   * @default {}: the account that the person chose
   */
  accounts?: Readonly<Record<string, string>>
  /** Further variables. Of this process's own environment the skill gets only the PATH. */
  env?: Readonly<Record<string, string>>
  limits?: SkillLimits
  signal?: AbortSignal
  onUse?: OnUse
  /**
   * What to do on a system without process namespaces. There a skill can read this process's environment in `/proc`, so
   * run skills as another user.
   *
   * @default 'run'
   */
  withoutNamespace?: 'run' | 'refuse'
}

/** The result of a run. */
export interface SkillResult {
  /** Null if a signal ended it. */
  exitCode: number | null
  signal: string | null
  /** Output, with the secrets redacted. */
  stdout: string
  stderr: string
  /** The limit that ended the run, if one did. */
  stopped?: 'timeout' | 'output' | 'aborted'
  /** The accounts whose tokens it received. */
  accounts: UsedAccount[]
}

const MB = 1024 * 1024
const DEFAULTS = { timeoutMs: 30_000, maxOutputBytes: MB, maxMemoryBytes: 1024 * MB, maxDiskBytes: 256 * MB }
const WINDOWS = process.platform === 'win32'

/** A skill: a folder with a script in any language and a manifest. */
export class Skill {
  readonly manifest: SkillManifest
  /** Its folder, with symbolic links resolved. */
  readonly folder: string

  private constructor(manifest: SkillManifest, folder: string) {
    this.manifest = manifest
    this.folder = folder
  }

  /** Reads the `skill.json` of a folder. @throws LatchkeyError `misuse` if it is not valid. */
  static async load(folder: string): Promise<Skill> {
    const real = await realpath(folder)
    const manifest: unknown = JSON.parse(await readFile(await inside(real, 'skill.json'), 'utf8'))
    return Skill.of(manifest as SkillManifest, real)
  }

  /** A skill from a manifest. @throws LatchkeyError `misuse` if the manifest is not valid. */
  static async of(manifest: SkillManifest, folder: string): Promise<Skill> {
    const { name, command, tokens = [], optional = [] } = manifest
    const areTexts = [command, tokens, optional].every(
      (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
    )
    if (typeof name !== 'string' || !areTexts || command.length === 0) {
      throw misuse('A skill needs a name, a command (a list) and the tokens it declares (a list).')
    }
    return new Skill(manifest, await realpath(folder))
  }

  /**
   * Runs the script as a child process with limits. Its environment holds only the declared tokens of the context's
   * accounts. It works in its own folder and inherits no open file. It can use the network, so you trust a skill with the
   * tokens that it declares.
   *
   * @throws AuthorizationRequired if a declared account is missing.
   * @throws LatchkeyError `misuse` if a path or symbolic link leaves its folder, or `accounts` names what it does not declare,
   * `not_configured` if its program is not installed.
   */
  run(options: RunSkillOptions = {}): Promise<SkillResult> {
    return this.#run(options)
  }

  /**
   * The skill as the function of a tool of the AI SDK, whose input is the skill's. `toolApproval` asks its person ahead, about
   * the whole run: what the script does with a token that it holds, nobody sees.
   *
   * @param toolName its name in the conversation. @default the skill's
   */
  execute(
    options: Omit<RunSkillOptions, 'input'> = {},
    toolName = this.manifest.name,
  ): (input: unknown, options: unknown) => Promise<SkillResult> {
    const execute = (input: unknown, called: unknown) =>
      this.#run({ ...options, input }, placeOf(called, input, toolName)).catch((error) => {
        throw ofToolCall(error, called)
      })
    return askedAhead(execute, (input, called) =>
      this.#askAhead({ ...options, input }, placeOf(called, input, called.toolName)),
    )
  }

  /** What would become of a run. An account that is missing is not asked about. */
  async #askAhead(options: RunSkillOptions, place: CallPlace | undefined): Promise<Outlook | undefined> {
    const { context = AgentContext.current(), providers, accounts } = options
    const { tokens = [] } = this.manifest
    const wanted = tokens.map((one) => [providerOfName(one, providers), namedFor(accounts, one)] as const)
    return firstRefusal(wanted, (provider, account) =>
      context.askAhead(provider, { ...this.#callOf(provider, options), account, place }),
    )
  }

  async #run(options: RunSkillOptions, place?: CallPlace): Promise<SkillResult> {
    const { env, secrets, accounts, calls } = await this.#tokens(options, place)
    let ending: Ending = 'unsent'
    let failure: Failure | undefined
    const { command, directory } = this.manifest
    const limits = { ...DEFAULTS, ...options.limits }
    let group: string | undefined
    let own: string | undefined
    try {
      const program = findProgram(command[0])
      const args = await Promise.all(command.slice(1).map((one) => this.#argument(one)))
      if (directory === undefined) own = await mkdtemp(path.join(await realpath(tmpdir()), 'latchkey-skill-'))
      const cwd = own ?? (await inside(this.folder, directory ?? '', 'directory'))
      const wrapper = isolation()
      if (wrapper.length === 0 && options.withoutNamespace === 'refuse') {
        const message =
          'A skill could read the environment of this process, because this system has no process namespaces.'
        throw new LatchkeyError('not_configured', message)
      }
      group = await createGroup(limits.maxMemoryBytes)
      const isolated =
        wrapper.length > 0 && own ? [...wrapper, ...onSmallDisk(own, limits), program] : [...wrapper, program]
      const line = [...limited(limits, group), ...isolated, ...args]
      const variables = { ...base(cwd), ...options.env, SKILL_DIR: this.folder, ...env }
      const place = { cwd, env: variables, limits, redactor: createRedactor(secrets) }
      const signals = [options.signal, ...calls.map(({ signal }) => signal)].filter((one) => one !== undefined)
      ending = 'unknown'
      const result = { ...(await start(line, place, { ...options, signal: AbortSignal.any(signals) })), accounts }
      ending = { result }
      failure = failureIn(result)
      return result
    } catch (error) {
      failure = failureOf(error)
      throw error
    } finally {
      for (const call of calls) await call.end(ending, failure)
      if (group) await removeGroup(group)
      if (own) await rm(own, { recursive: true, force: true })
    }
  }

  /** The environment variables: declared by the skill, and granted to the agent. */
  async #tokens(options: RunSkillOptions, place: CallPlace | undefined) {
    const { providers = [] } = options
    const { tokens = [], optional = [] } = this.manifest
    checkNamed(options.accounts, tokens)
    const env: Record<string, string> = {}
    const accounts = new Map<string, UsedAccount>()
    const secrets: string[] = []
    const calls = new Map<string, AuthorizedCall>()
    try {
      for (const variable of tokens) {
        const provider = providerOfName(variable, providers)
        const wanted = { provider, account: namedFor(options.accounts, variable), place }
        const token = await this.#token(wanted, calls, options).catch((error) => {
          if (!(error instanceof AuthorizationRequired) || !optional.includes(variable)) throw error
        })
        const identity = token?.toIdentity()
        // Undefined too if the account has the other kind of key: KAGGLE_KEY is declared and a KGAT_ token connected.
        const value = identity && getIdentityEnv([identity], { providers })[variable]
        if (!identity || value === undefined) continue
        env[variable] = value
        secrets.push(...secretsOf([identity], providers))
        const { accountId } = identity
        const key = JSON.stringify([provider, accountId])
        if (!accounts.has(key)) this.#record(provider, options)({ action: 'used', accountId })
        accounts.set(key, { provider, accountId })
      }
    } catch (error) {
      for (const call of calls.values()) await call.end('unsent')
      throw error
    }
    return { env, secrets, accounts: [...accounts.values()], calls: [...calls.values()] }
  }

  #record(provider: string, { context = AgentContext.current(), onUse }: RunSkillOptions): RecordUse {
    return recorderOf(context, onUse, { toolName: this.manifest.name, provider })
  }

  /** A run as its person's rules know it. */
  #callOf(provider: string, { effect = 'write', input }: RunSkillOptions) {
    const { name, description = name, scopes = {} } = this.manifest
    const needs = { toolName: name, scopes: scopes[provider] }
    return { ...needs, tool: judgedTool({ provider, effect, title: description, ...needs }), args: input }
  }

  /** The token of one account. Its person is asked once for a run, however many variables it fills. */
  async #token(
    { provider, account, place }: { provider: string; account: string | undefined; place: CallPlace | undefined },
    calls: Map<string, AuthorizedCall>,
    options: RunSkillOptions,
  ): Promise<AgentToken> {
    const { context = AgentContext.current() } = options
    const { name } = this.manifest
    const needs = this.#callOf(provider, options)
    const record = this.#record(provider, options)
    const key = JSON.stringify([provider, account])
    const call =
      calls.get(key) ??
      (await recorded(record, provider, () => context.authorize(provider, { ...needs, account, place })))
    calls.set(key, call)
    if (call.done) {
      const message = `${name} has run already, for this message of the person.`
      throw new LatchkeyError('access_denied', message, { next: 'none' })
    }
    return openToken(call, provider, needs, record)
  }

  async #argument(argument: string): Promise<string> {
    if (argument.startsWith('-') || !existsSync(path.join(this.folder, argument))) return argument
    return inside(this.folder, argument)
  }
}

/** A script says with its exit code whether it failed. */
function failureIn({ exitCode, stopped }: SkillResult): Failure | undefined {
  if (stopped === 'aborted') return 'cancelled'
  if (stopped === 'timeout') return stopped
  return exitCode === 0 ? undefined : 'tool_error'
}

const misuse = (message: string) => new LatchkeyError('misuse', message)

/** Resolves a path and its symbolic links. @throws LatchkeyError `misuse` if it leaves the folder. */
async function inside(folder: string, relative: string, kind?: 'directory'): Promise<string> {
  const found = await realpath(path.resolve(folder, relative)).catch(() => undefined)
  const way = found === undefined ? '..' : path.relative(folder, found)
  if (found === undefined || way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way)) {
    throw misuse(`${JSON.stringify(relative)} is not in the folder of the skill.`)
  }
  if (kind === 'directory' && !(await stat(found)).isDirectory()) {
    throw misuse(`${JSON.stringify(relative)} is not a folder.`)
  }
  return found
}

/** The variables that every program needs, without secrets. */
function base(cwd: string): Record<string, string> {
  const { PATH = '', SystemRoot } = process.env
  return { PATH, HOME: cwd, TMPDIR: cwd, TEMP: cwd, LANG: 'C.UTF-8', ...(WINDOWS && SystemRoot && { SystemRoot }) }
}

function findProgram(name: string): string {
  const extensions = WINDOWS ? ['', '.exe', '.cmd'] : ['']
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute)
  const found = folders
    .flatMap((folder) => extensions.map((extension) => path.join(folder, name + extension)))
    .find((file) => existsSync(file))
  if (path.basename(name) !== name || !found) {
    throw new LatchkeyError('not_configured', `This skill needs ${name}, which is not installed here.`)
  }
  return found
}

/**
 * The start of a command line that limits what follows. A shell sets the limits, which all processes inherit, and starts a
 * timer that kills the process group: it works also when this process is killed or stopped.
 */
function limited({ maxMemoryBytes, maxDiskBytes, timeoutMs }: Required<SkillLimits>, group = ''): string[] {
  if (WINDOWS) return []
  const script = [
    'ulimit -c 0',
    `ulimit -d ${Math.max(1, Math.ceil(maxMemoryBytes / 1024))} 2>/dev/null`,
    `ulimit -f ${Math.max(1, Math.ceil(maxDiskBytes / 512))} 2>/dev/null`,
    '[ -z "$0" ] || { echo $$ >"$0/cgroup.procs"; } 2>/dev/null',
    `(sleep ${Math.ceil(timeoutMs / 1000)}; kill -9 -$$) </dev/null >/dev/null 2>&1 &`,
    'exec "$@"',
  ]
  return ['/bin/sh', '-c', script.join('\n'), group]
}

/** In its namespace: puts the run's folder on a disk of limited size, if it is allowed to. */
function onSmallDisk(folder: string, { maxDiskBytes }: Required<SkillLimits>): string[] {
  const mount = `mount -t tmpfs -o size=${maxDiskBytes},mode=700 latchkey "$0" 2>/dev/null`
  return ['/bin/sh', '-c', `${mount} && cd "$0" && unset OLDPWD; exec "$@"`, folder]
}

/** Makes a cgroup that limits the memory of all its processes together. Undefined if this process may not. */
async function createGroup(maxMemoryBytes: number): Promise<string | undefined> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '')
  const first = /^\d+:memory:(.+)$/m.exec(own)?.[1]
  const place = first ?? /^0::(.+)$/m.exec(own)?.[1] ?? '/'
  // A group of version 2 with processes may have no groups with limits, but the group above it may.
  for (const parent of [place, path.dirname(place)]) {
    const group = path.join('/sys/fs/cgroup', first ? 'memory' : '', parent, `latchkey-skill-${randomUUID()}`)
    const set = (name: string, value: number) => writeFile(path.join(group, name), String(value), { flag: 'r+' })
    try {
      await mkdir(group)
      await set(first ? 'memory.limit_in_bytes' : 'memory.max', maxMemoryBytes)
      // Swap counts too, where the system counts it.
      await (first ? set('memory.memsw.limit_in_bytes', maxMemoryBytes) : set('memory.swap.max', 0)).catch(() => {})
      return group
    } catch {
      await rmdir(group).catch(() => {})
    }
  }
  return undefined
}

/** Ends what is left in a cgroup, and removes it. */
async function removeGroup(group: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const left = await readFile(path.join(group, 'cgroup.procs'), 'utf8').catch(() => '')
    for (const pid of left.split('\n').map(Number)) if (pid > 0) kill(pid)
    if (
      await rmdir(group).then(
        () => true,
        () => false,
      )
    )
      return
    await delay(10)
  }
}

/** Kills a process, or with a negative number a process group. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has already ended.
  }
}

const NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc']
const WRAPPERS = [
  ['unshare', '--user', '--map-current-user', ...NAMESPACE],
  ['unshare', ...NAMESPACE],
]

let wrapper: string[] | undefined

/**
 * A command that runs another in a new process namespace; empty if there is none. Without it, a child can read in `/proc`
 * the environment and the open files of every process of its user, including this one. The namespace also ends processes
 * that the child leaves.
 */
function isolation(): string[] {
  const works = ([command = '', ...args]: string[]) =>
    spawnSync(command, [...args, 'true'], { stdio: 'ignore', env: base('/'), timeout: 10_000 }).status === 0
  wrapper ??= (process.platform === 'linux' && WRAPPERS.find(works)) || []
  return wrapper
}

async function start(
  [command = '', ...args]: string[],
  {
    limits,
    redactor,
    ...place
  }: { cwd: string; env: Record<string, string>; limits: Required<SkillLimits>; redactor: Redactor },
  { input, signal }: RunSkillOptions,
): Promise<Omit<SkillResult, 'accounts'>> {
  signal?.throwIfAborted()
  const { timeoutMs, maxOutputBytes } = limits
  // A new process group, so that its children end with it. Three pipes, and no other file of this process.
  const child = spawn(command, args, { ...place, stdio: 'pipe', detached: !WINDOWS, windowsHide: true })
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let size = 0
  let stopped: SkillResult['stopped']
  const end = () => {
    if (child.pid !== undefined) kill(WINDOWS ? child.pid : -child.pid)
  }
  const stop = (reason: NonNullable<SkillResult['stopped']>) => {
    stopped ??= reason
    end()
    // A process that the skill left behind may keep the other end open, so this end is closed.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (piece: Buffer) => {
      const room = maxOutputBytes - size
      size += piece.byteLength
      output[name].push(piece.subarray(0, Math.max(0, room)))
      if (size > maxOutputBytes) stop('output')
    })
  }
  const begun = performance.now()
  const timer = setTimeout(() => stop('timeout'), timeoutMs)
  const onAbort = () => stop('aborted')
  signal?.addEventListener('abort', onAbort)
  // A skill that does not read its input may end before all is written. That is not an error.
  child.stdin.on('error', () => {})
  child.stdin.end(input === undefined ? '' : JSON.stringify(input))
  try {
    const [exitCode, ending] = await once(child, 'close')
    // Its own timer may have been the first.
    if (ending === 'SIGKILL' && performance.now() - begun >= timeoutMs) stopped ??= 'timeout'
    /** Redacted. Of an output that was cut, the end may be the beginning of a secret. */
    const textOf = (name: keyof typeof output) => {
      const { push, end: rest } = redactor.stream()
      return push(Buffer.concat(output[name]).toString()) + (stopped ? rest() && '[redacted]' : rest())
    }
    return { exitCode, signal: ending, stdout: textOf('stdout'), stderr: textOf('stderr'), stopped }
  } catch (cause) {
    throw new LatchkeyError('not_configured', 'The skill could not be started.', { cause })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    // Its own timer, and what it left behind.
    if (!WINDOWS && !stopped) end()
  }
}
