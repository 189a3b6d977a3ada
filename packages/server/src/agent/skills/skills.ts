import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LatchkeyError, type Provider } from '@latchkey/core'
import { createRedactor } from '../../outbound/redact/redactor.ts'
import { secretsOf } from '../../outbound/redact/secrets.ts'
import { type OnUse, openToken, recorderOf, type UsedAccount } from '../account-fetch.ts'
import { AgentContext } from '../context.ts'
import { AuthorizationRequired, getIdentityEnv } from '../identities.ts'
import { providerOfName } from '../token-names.ts'

/** What a skill says about itself, in its `skill.json`. */
export interface SkillManifest {
  name: string
  description?: string
  /** The program, from the PATH, and its arguments. An argument that names a file of the skill becomes its full path. */
  command: readonly [string, ...string[]]
  /** Environment variables of the accounts it needs: `KAGGLE_TOKEN`, `GITHUB_TOKEN`. It gets these and no others. */
  tokens?: readonly string[]
  /** Of the tokens, those it can do without. */
  optional?: readonly string[]
  /** Scopes it needs, by provider id. */
  scopes?: Readonly<Record<string, readonly string[]>>
  /**
   * A folder of the skill to work in.
   *
   * @default a new, empty folder for each run, removed afterwards
   */
  directory?: string
}

/** Limits of one run. */
export interface SkillLimits {
  /**
   * Milliseconds from start to end.
   *
   * @default 30_000
   */
  timeoutMs?: number
  /**
   * Bytes of stdout and stderr together.
   *
   * @default 1_048_576
   */
  maxOutputBytes?: number
  /**
   * Bytes of memory for data, where the system can limit it (Linux). Node needs 600 MiB.
   *
   * @default 1_073_741_824
   */
  maxMemoryBytes?: number
}

/** Options of {@link Skill.run}. */
export interface RunSkillOptions {
  /** Goes to the skill's stdin, as JSON. */
  input?: unknown
  /**
   * Whose accounts are used.
   *
   * @default AgentContext.current()
   */
  context?: AgentContext
  /** Providers whose own variable names are known beside the well-known ones. */
  providers?: readonly Provider[]
  /** Further variables. Nothing of this process's own environment but the PATH is handed on. */
  env?: Readonly<Record<string, string>>
  limits?: SkillLimits
  signal?: AbortSignal
  onUse?: OnUse
  /**
   * What to do on a system without process namespaces. There `/proc` shows the environment of this process to a skill,
   * so run skills as another user.
   *
   * @default 'run'
   */
  withoutNamespace?: 'run' | 'refuse'
}

/** How a run ended, and what it wrote. */
export interface SkillResult {
  /** Null when it was ended by a signal. */
  exitCode: number | null
  signal: string | null
  /** Both without the secrets it was given. */
  stdout: string
  stderr: string
  /** The limit that ended it. */
  stopped?: 'timeout' | 'output' | 'aborted'
  /** The accounts whose tokens it was given. */
  accounts: UsedAccount[]
}

const DEFAULTS = { timeoutMs: 30_000, maxOutputBytes: 1024 * 1024, maxMemoryBytes: 1024 * 1024 * 1024 }
const WINDOWS = process.platform === 'win32'

/** A skill: a folder with a script in any language and a manifest. */
export class Skill {
  readonly manifest: SkillManifest
  /** Where it is, with every link followed. */
  readonly folder: string

  private constructor(manifest: SkillManifest, folder: string) {
    this.manifest = manifest
    this.folder = folder
  }

  /** Reads the `skill.json` of a folder. @throws LatchkeyError `misuse` when it is none. */
  static async load(folder: string): Promise<Skill> {
    const real = await realpath(folder)
    const manifest: unknown = JSON.parse(await readFile(await inside(real, 'skill.json'), 'utf8'))
    return Skill.of(manifest as SkillManifest, real)
  }

  /** A skill whose manifest is at hand. @throws LatchkeyError `misuse` when it is none. */
  static async of(manifest: SkillManifest, folder: string): Promise<Skill> {
    const { name, command, tokens = [], optional = [] } = manifest
    const isTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string')
    if (
      typeof name !== 'string' ||
      !isTexts(command) ||
      command.length === 0 ||
      !isTexts(tokens) ||
      !isTexts(optional)
    ) {
      throw misuse('A skill needs a name, a command (a list) and the tokens it declares (a list).')
    }
    return new Skill(manifest, await realpath(folder))
  }

  /**
   * Runs the script as a process of its own: in a clean environment with the declared tokens of accounts that the
   * context has, in its own folder, with no open file of this process, within limits. It can still use the network: a
   * skill is trusted with the tokens it declares, and with nothing else.
   *
   * @throws AuthorizationRequired when an account that it declares is missing.
   * @throws LatchkeyError `misuse` when its folder or a file leads out of it, `not_configured` when its program is not
   * installed.
   */
  async run(options: RunSkillOptions = {}): Promise<SkillResult> {
    const { input, limits, signal } = options
    const { timeoutMs, maxOutputBytes, maxMemoryBytes } = { ...DEFAULTS, ...limits }
    const { env, secrets, accounts } = await this.#tokens(options)
    const program = findProgram(this.manifest.command[0])
    const args = await Promise.all(this.manifest.command.slice(1).map((one) => this.#argument(one)))
    const own = this.manifest.directory === undefined
    const cwd = own
      ? await mkdtemp(path.join(await realpath(tmpdir()), 'latchkey-skill-'))
      : await inside(this.folder, this.manifest.directory ?? '', 'directory')
    try {
      const wrapper = isolation()
      if (!wrapper && options.withoutNamespace === 'refuse') {
        throw new LatchkeyError('not_configured', 'This system cannot hide this process from skills.', {
          next: 'configure',
        })
      }
      const [command = program, ...rest] = [...(wrapper ?? []), ...limited(program, maxMemoryBytes), ...args]
      const redactor = createRedactor(secrets)
      const ended = await start(command, rest, {
        cwd,
        env: { ...base(cwd), ...options.env, SKILL_DIR: this.folder, ...env },
        input: input === undefined ? '' : JSON.stringify(input),
        timeoutMs,
        maxOutputBytes,
        signal,
      })
      return { ...ended, stdout: redactor.text(ended.stdout), stderr: redactor.text(ended.stderr), accounts }
    } finally {
      if (own) await rm(cwd, { recursive: true, force: true })
    }
  }

  /** The variables it gets: declared by it, and granted to the agent. */
  async #tokens({ context = AgentContext.current(), providers = [], onUse }: RunSkillOptions) {
    const { name, tokens = [], optional = [], scopes = {} } = this.manifest
    const env: Record<string, string> = {}
    const accounts = new Map<string, UsedAccount>()
    const secrets: string[] = []
    for (const variable of tokens) {
      const provider = providerOfName(variable, providers)
      const record = recorderOf(context, onUse, { toolName: name, provider })
      try {
        const token = await openToken(context, provider, { toolName: name, scopes: scopes[provider] }, record)
        const identity = token.toIdentity()
        const value = getIdentityEnv([identity], { providers })[variable]
        // A key of the other kind: KAGGLE_KEY of an account that has a new token.
        if (value === undefined) continue
        env[variable] = value
        secrets.push(...secretsOf([identity], providers))
        if (!accounts.has(provider)) record({ action: 'used', accountId: token.accountId })
        accounts.set(provider, { provider, ...(token.accountId && { accountId: token.accountId }) })
      } catch (error) {
        if (!(error instanceof AuthorizationRequired) || !optional.includes(variable)) throw error
      }
    }
    return { env, secrets, accounts: [...accounts.values()] }
  }

  async #argument(argument: string): Promise<string> {
    if (argument.startsWith('-') || !existsSync(path.join(this.folder, argument))) return argument
    return inside(this.folder, argument)
  }
}

const misuse = (message: string) => new LatchkeyError('misuse', message, { next: 'configure' })

/** A path in a folder, with every link followed. @throws LatchkeyError `misuse` when it leads out of the folder. */
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

/** The variables that every program needs. They hold no secret. */
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
    throw new LatchkeyError('not_configured', `This skill needs ${name}, which is not installed here.`, {
      next: 'configure',
    })
  }
  return found
}

/** The program under a limit of memory: the shell sets it and becomes the program. */
function limited(program: string, maxMemoryBytes: number): string[] {
  if (WINDOWS) return [program]
  const kilobytes = Math.max(1, Math.ceil(maxMemoryBytes / 1024))
  return ['/bin/sh', '-c', `ulimit -c 0; ulimit -d ${kilobytes} 2>/dev/null; exec "$@"`, 'sh', program]
}

let wrapper: string[] | null | undefined

/**
 * A command that runs another in a process namespace of its own. Without one, `/proc` shows a child the environment and
 * the open files of every process of its user, this one included. It also ends whatever the child leaves behind.
 */
function isolation(): string[] | undefined {
  if (wrapper === undefined) {
    const [own, user] = [
      ['--pid', '--fork', '--kill-child', '--mount-proc'],
      ['--user', '--map-current-user'],
    ]
    const candidates = [
      ['unshare', ...user, ...own],
      ['unshare', ...own],
    ]
    const works = ([command = '', ...args]: string[]) =>
      spawnSync(command, [...args, 'true'], { stdio: 'ignore', env: base('/'), timeout: 10_000 }).status === 0
    wrapper = (process.platform === 'linux' && candidates.find(works)) || null
  }
  return wrapper ?? undefined
}

interface StartOptions {
  cwd: string
  env: Record<string, string>
  input: string
  timeoutMs: number
  maxOutputBytes: number
  signal: AbortSignal | undefined
}

function start(command: string, args: string[], options: StartOptions): Promise<Omit<SkillResult, 'accounts'>> {
  const { cwd, env, input, timeoutMs, maxOutputBytes, signal } = options
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // Its own group, so that what it starts ends with it; three pipes, and no other file of this process.
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: !WINDOWS,
      windowsHide: true,
    })
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    let size = 0
    let stopped: SkillResult['stopped']
    const stop = (reason: NonNullable<SkillResult['stopped']>) => {
      stopped ??= reason
      try {
        if (WINDOWS || child.pid === undefined) child.kill('SIGKILL')
        else process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
      // A process that the skill left behind may hold the other end; this end is closed.
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
    const timer = setTimeout(() => stop('timeout'), timeoutMs)
    const onAbort = () => stop('aborted')
    signal?.addEventListener('abort', onAbort)
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    child.once('error', (error) => {
      settle()
      reject(
        new LatchkeyError('not_configured', 'The skill could not be started.', { next: 'configure', cause: error }),
      )
    })
    child.once('close', (exitCode, ending) => {
      settle()
      resolve({
        exitCode,
        signal: ending,
        stdout: Buffer.concat(output.stdout).toString(),
        stderr: Buffer.concat(output.stderr).toString(),
        ...(stopped && { stopped }),
      })
    })
    // A skill that does not read its input may end before it has been written.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
