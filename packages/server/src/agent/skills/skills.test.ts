// Security cases I, 227, 228, 240, 264-266, 272, 287, 293, 350: Budgets. A release waits for 227, 228, 240, 264, 266.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Identity } from '@latchkey/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentContext, AuthorizationRequired, type UseEntry } from '../../index.ts'
import { type RunSkillOptions, Skill, type SkillManifest } from './skills.ts'

const SECRET = 'CANARY_AT_skill/+?'
const hasPython = spawnSync('python3', ['--version']).status === 0
const hasNamespaces = [['--user', '--map-current-user'], []].some(
  (user) => spawnSync('unshare', [...user, '--pid', '--fork', '--mount-proc', 'true']).status === 0,
)

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'latchkey-test-')))
  process.env.LATCHKEY_HOST_SECRET = 'CANARY_HOST'
})
afterEach(async () => {
  delete process.env.LATCHKEY_HOST_SECRET
  await rm(folder, { recursive: true, force: true })
})

const kaggle: Identity = { provider: 'kaggle', accessToken: SECRET, accountId: 'kaggle.1', fields: { username: 'ada' } }
const github: Identity = { provider: 'github', accessToken: 'CANARY_AT_github', accountId: 'github.1' }

/** Runs a script of Node as a skill. */
async function run(
  source: string,
  {
    identities = [],
    manifest,
    ...options
  }: RunSkillOptions & { identities?: Identity[]; manifest?: Partial<SkillManifest> } = {},
) {
  writeFileSync(path.join(folder, 'skill.mjs'), source)
  const skill = await Skill.of({ name: 'test', command: ['node', 'skill.mjs'], ...manifest }, folder)
  return skill.run({ context: AgentContext.fromIdentities(identities, { userId: 'ada' }), ...options })
}

/** The same script, started with a plain spawn. */
function plainly(source: string, options: object = {}): string {
  writeFileSync(path.join(folder, 'skill.mjs'), source)
  return spawnSync(process.execPath, [path.join(folder, 'skill.mjs')], {
    encoding: 'utf8',
    timeout: 20_000,
    ...options,
  }).stdout
}

const ENV = 'console.log(JSON.stringify(process.env))'

describe('what a skill gets', () => {
  it('case 85: only the tokens that it declares and that its agent may use', async () => {
    const identities = [kaggle, github]
    const { stdout, accounts } = await run(
      'console.log(Object.keys(process.env).filter((name) => name !== "PWD").sort().join())',
      { identities, manifest: { tokens: ['GITHUB_TOKEN'] } },
    )
    expect(stdout.trim()).toBe('GITHUB_TOKEN,HOME,LANG,PATH,SKILL_DIR,TEMP,TMPDIR')
    expect(accounts).toEqual([{ provider: 'github', accountId: 'github.1' }])
    const legacy = await run('console.log(Object.keys(process.env).sort().join())', {
      identities,
      manifest: { tokens: ['KAGGLE_USERNAME', 'KAGGLE_KEY', 'KAGGLE_API_TOKEN'] },
    })
    expect(legacy.stdout).toMatch(/KAGGLE_KEY,.*KAGGLE_USERNAME/)
    expect(legacy.stdout).not.toMatch(/KAGGLE_API_TOKEN|KAGGLE_TOKEN|GITHUB/)
    await expect(run(ENV, { identities, manifest: { tokens: ['PATH'] } })).rejects.toThrow('PATH')
  })

  it('case 86: a run without the account sees no variable of an earlier run', async () => {
    const manifest = { tokens: ['KAGGLE_TOKEN'], optional: ['KAGGLE_TOKEN'] }
    const source = 'console.log("KAGGLE_TOKEN" in process.env, process.env.KAGGLE_TOKEN)'
    const before = { ...process.env }
    expect((await run(source, { identities: [kaggle], manifest })).stdout).toBe('true [redacted]\n')
    expect((await run(source, { manifest })).stdout).toBe('false undefined\n')
    expect(process.env).toEqual(before)
  })

  it('asks for a missing account or scope', async () => {
    const log: UseEntry[] = []
    const manifest = { tokens: ['GITHUB_TOKEN'], scopes: { github: ['repo'] } }
    for (const identities of [[], [{ ...github, scopes: ['gist'] }]]) {
      const error = await run(ENV, { identities, manifest, onUse: (entry) => log.push(entry) }).catch((one) => one)
      expect(error).toBeInstanceOf(AuthorizationRequired)
      expect(JSON.parse(JSON.stringify(error))).toMatchObject({
        provider: 'github',
        scopes: ['repo'],
        toolName: 'test',
      })
    }
    await run('', { identities: [{ ...github, scopes: ['repo'] }], manifest, onUse: (entry) => log.push(entry) })
    expect(log.map(({ action }) => action)).toEqual(['missing', 'missing', 'used'])
    expect(JSON.stringify(log)).not.toContain('CANARY')
  })

  it('case 84: the output holds no secret, in any encoding', async () => {
    const source = `
      const secret = process.env.KAGGLE_TOKEN
      console.log(JSON.stringify(process.env))
      console.log(btoa(secret), btoa('ada:' + secret), encodeURIComponent(secret), Buffer.from(secret).toString('hex'))
      for (const letter of secret) console.log(letter)
      console.error(btoa(secret).replace(/.{6}/g, '$&\\n'), secret.slice(0, 9) + '\\n' + secret.slice(9))
      process.exit(3)`
    const result = await run(source, { identities: [kaggle], manifest: { tokens: ['KAGGLE_TOKEN'] } })
    expect(result).toMatchObject({ exitCode: 3, signal: null })
    const said = (result.stdout + result.stderr).replace(/\s/g, '')
    for (const spelled of [SECRET, btoa(SECRET), encodeURIComponent(SECRET), Buffer.from(SECRET).toString('hex')]) {
      expect(said).not.toContain(spelled.slice(3, -3))
    }
    expect(said.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(8)
  })
})

describe('what a skill can reach', () => {
  it("the host's environment is out of reach (in a plain spawn it is not)", async () => {
    expect(plainly(ENV)).toContain('CANARY_HOST')
    expect((await run(ENV)).stdout).not.toContain('CANARY_HOST')
    expect((await run(ENV, { env: { LOCALE: 'de' } })).stdout).toContain('"LOCALE":"de"')
  })

  it.skipIf(!hasNamespaces)("nor can it be read from the host's process", async () => {
    // A variable that is set after the start is not in /proc, so this host process is started with it.
    const source = `
      import { readdirSync, readFileSync } from 'node:fs'
      const read = (pid) => { try { return readFileSync('/proc/' + pid + '/environ', 'utf8') } catch { return '' } }
      console.log(readdirSync('/proc').filter((name) => Number(name)).map(read).join().includes('CANARY_' + 'STARTED'))`
    const host = spawn('sleep', ['60'], { env: { ...process.env, SECRET: 'CANARY_STARTED' }, stdio: 'ignore' })
    try {
      expect(plainly(source, { env: {} })).toBe('true\n')
      expect((await run(source)).stdout).toBe('false\n')
    } finally {
      host.kill('SIGKILL')
    }
  })

  it('a symlinked working directory is refused (a plain spawn follows it)', async () => {
    const outside = path.join(folder, '..', `${path.basename(folder)}-outside`)
    mkdirSync(outside)
    try {
      writeFileSync(path.join(outside, 'secret.txt'), 'CANARY_FILE')
      symlinkSync(outside, path.join(folder, 'work'))
      symlinkSync(path.join(outside, 'secret.txt'), path.join(folder, 'linked.mjs'))
      mkdirSync(path.join(folder, 'own'))
      const source = `import { readFileSync } from 'node:fs'; console.log(readFileSync('secret.txt', 'utf8'))`
      expect(plainly(source, { cwd: path.join(folder, 'work') })).toContain('CANARY_FILE')
      for (const directory of ['work', '..', '/', outside, 'missing', 'own/../../x', 'skill.mjs']) {
        await expect(run(source, { manifest: { directory } }), directory).rejects.toMatchObject({ code: 'misuse' })
      }
      await expect(run('', { manifest: { command: ['node', 'linked.mjs'] } })).rejects.toMatchObject({ code: 'misuse' })
      const where = 'console.log(process.cwd())'
      expect((await run(where, { manifest: { directory: 'own' } })).stdout.trim()).toBe(path.join(folder, 'own'))
      const fresh = (await run(where)).stdout.trim()
      expect(fresh).not.toContain(folder)
      expect(existsSync(fresh)).toBe(false)
    } finally {
      await rm(outside, { recursive: true })
    }
  })

  it('an open file of the host is out of reach (in a plain spawn it is not)', async () => {
    const file = path.join(folder, 'secret.txt')
    writeFileSync(file, 'CANARY_OPEN')
    const open = openSync(file, 'r')
    // The file was deleted, so it cannot be opened by its name.
    unlinkSync(file)
    try {
      // The open files of every process, from /proc. Pipes are left out, because reading them blocks.
      const source = `
        import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
        const attempt = (fn) => { try { return fn() } catch { return '' } }
        for (const pid of readdirSync('/proc').filter((name) => Number(name))) {
          for (const fd of attempt(() => readdirSync('/proc/' + pid + '/fd'))) {
            const open = '/proc/' + pid + '/fd/' + fd
            if (attempt(() => readlinkSync(open)).includes('secret.txt')) console.log(attempt(() => readFileSync(open, 'utf8')))
          }
        }`
      if (hasNamespaces) {
        expect(plainly(source)).toContain('CANARY_OPEN')
        expect((await run(source)).stdout).toBe('')
      }
      const inherited = `import { readFileSync } from 'node:fs'; try { console.log(readFileSync(3, 'utf8')) } catch (error) { console.log(error.code) }`
      expect(plainly(inherited, { stdio: ['pipe', 'pipe', 'pipe', open] })).toContain('CANARY_OPEN')
      expect((await run(inherited)).stdout).not.toContain('CANARY')
    } finally {
      closeSync(open)
    }
  })
})

describe('limits', () => {
  it('kills a script that takes too long, and all its processes', async () => {
    const source = `
      import { spawn } from 'node:child_process'
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      console.log('begun')
      setInterval(() => {}, 1000)`
    const result = await run(source, { limits: { timeoutMs: 1500 } })
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', stopped: 'timeout' })
    const signal = AbortSignal.timeout(500)
    expect(await run(source, { signal })).toMatchObject({ stopped: 'aborted' })
    await expect(run(source, { signal: AbortSignal.abort() })).rejects.toThrow()
  })

  it('kills a script that writes too much, and returns its output so far', async () => {
    const source = 'for (;;) process.stdout.write("x".repeat(10_000))'
    const result = await run(source, { limits: { maxOutputBytes: 25_000 } })
    expect(result).toMatchObject({ stopped: 'output', stdout: 'x'.repeat(25_000) })
  })

  it.skipIf(process.platform !== 'linux' || !hasPython)('ends what takes too much memory', async () => {
    const manifest: Partial<SkillManifest> = { command: ['python3', '-c', 'print(len(bytearray(200 * 1024 * 1024)))'] }
    expect((await run('', { manifest })).stdout).toBe('209715200\n')
    const small = await run('', { manifest, limits: { maxMemoryBytes: 64 * 1024 * 1024 } })
    expect(small.exitCode).toBe(1)
    expect(small.stderr).toContain('MemoryError')
  })

  it('case 240: a skill ends within its limit if its host is killed', async () => {
    // The skill holds a connection, which the system closes when it ends.
    const server = net.createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const connected = once(server, 'connection')
    writeFileSync(
      path.join(folder, 'skill.mjs'),
      `import net from 'node:net'; net.connect(${port}, '127.0.0.1'); setInterval(() => {}, 1000)`,
    )
    writeFileSync(
      path.join(folder, 'host.mjs'),
      `import { AgentContext } from ${JSON.stringify(new URL('../../index.ts', import.meta.url))}
      import { Skill } from ${JSON.stringify(new URL('./skills.ts', import.meta.url))}
      const skill = await Skill.of({ name: 'test', command: ['node', 'skill.mjs'] }, ${JSON.stringify(folder)})
      await skill.run({ context: AgentContext.fromIdentities([]), limits: { timeoutMs: 3000 } })`,
    )
    const host = spawn(process.execPath, [path.join(folder, 'host.mjs')], { stdio: 'inherit' })
    try {
      const [socket] = (await connected) as [net.Socket]
      const closed = once(
        socket.on('error', () => {}),
        'close',
      )
      host.kill('SIGKILL')
      await closed
    } finally {
      host.kill('SIGKILL')
      server.close()
    }
  })

  it.skipIf(!hasPython)(
    'case 293: its processes have one memory limit together',
    async ({ skip }) => {
      const where = await run(`console.log((await import('node:fs')).readFileSync('/proc/self/cgroup', 'utf8'))`)
      if (!where.stdout.includes('latchkey-skill-')) skip('This process may not create cgroups.')
      const source = `
import subprocess, sys
hold = "import sys; held = bytearray(b'x') * 40_000_000; print('held', flush=True); sys.stdin.read()"
start = lambda: subprocess.Popen([sys.executable, '-c', hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
all = [start() for _ in range(5)]
print(sum(child.stdout.read(4) == b'held' for child in all))
for child in all: child.kill()`
      const manifest: Partial<SkillManifest> = { command: ['python3', '-c', source] }
      const enough = await run('', { manifest, limits: { timeoutMs: 60_000 } })
      expect(enough.stdout).toBe('5\n')
      // Each process is far below the limit; the five are not.
      const limits = { maxMemoryBytes: 100_000_000, timeoutMs: 60_000 }
      expect((await run('', { manifest, limits })).stdout).not.toContain('5')
    },
    120_000,
  )

  it.skipIf(process.platform === 'win32')('case 293: what it writes is limited', async () => {
    const source = `
      import { ftruncateSync, openSync } from 'node:fs'
      try {
        ftruncateSync(openSync('big', 'w'), 300 * 1024 * 1024)
      } catch (error) { console.log(error.code) }`
    const big = await run(source)
    expect(`${big.stdout} ${big.signal} ${big.exitCode}`).toMatch(/EFBIG|SIGXFSZ|153/)
    const few = await run(source, { limits: { maxDiskBytes: 400 * 1024 * 1024 } })
    expect(few).toMatchObject({ stdout: '', exitCode: 0 })
  })

  it.skipIf(!hasNamespaces || process.getuid?.() !== 0)('case 293: its files are limited together', async () => {
    const source = `
      import { writeFileSync } from 'node:fs'
      try {
        for (let at = 0; at < 30; at++) writeFileSync('file' + at, Buffer.alloc(1024 * 1024))
      } catch (error) { console.log(error.code) }`
    expect(await run(source, { limits: { maxDiskBytes: 20 * 1024 * 1024 } })).toMatchObject({ stdout: 'ENOSPC\n' })
    expect(await run(source)).toMatchObject({ stdout: '' })
  })

  it('case 272: a secret that the output limit cuts is masked', async () => {
    for (const write of [
      'secret',
      'btoa(secret)',
      'encodeURIComponent(secret)',
      'Buffer.from(secret).toString("hex")',
    ]) {
      const source = `const secret = process.env.KAGGLE_TOKEN; process.stdout.write('x'.repeat(1000) + ${write} + 'y'.repeat(1000))`
      const limits = { maxOutputBytes: 1012 }
      const result = await run(source, { identities: [kaggle], manifest: { tokens: ['KAGGLE_TOKEN'] }, limits })
      expect(result).toMatchObject({ stopped: 'output', stdout: `${'x'.repeat(1000)}[redacted]` })
    }
  })

  it('gets its input, and reports its exit code', async () => {
    const source = `
      let text = ''
      for await (const piece of process.stdin) text += piece
      console.log(JSON.parse(text).name)
      console.error('bad')
      process.exitCode = 7`
    expect(await run(source, { input: { name: 'Ada' } })).toMatchObject({
      exitCode: 7,
      stdout: 'Ada\n',
      stderr: 'bad\n',
    })
    const crash = await run('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)', {
      limits: { timeoutMs: 3000 },
    })
    expect(crash.exitCode === 0).toBe(false)
    // A script that does not read its input is not an error.
    expect((await run('', { input: 'x'.repeat(1_000_000) })).exitCode).toBe(0)
  })

  it('reports a missing program, and a folder that is not a skill', async () => {
    await expect(run('', { manifest: { command: ['no-such-program'] } })).rejects.toThrow('needs no-such-program')
    await expect(run('', { manifest: { command: ['../node'] } })).rejects.toThrow('not installed')
    await expect(run('', { manifest: { command: [] as never } })).rejects.toMatchObject({ code: 'misuse' })
    await expect(Skill.load(folder)).rejects.toMatchObject({ code: 'misuse' })
    writeFileSync(
      path.join(folder, 'skill.json'),
      JSON.stringify({ name: 'a', command: ['node', '-e', 'console.log(1)'] }),
    )
    expect((await (await Skill.load(folder)).run()).stdout).toBe('1\n')
  })
})
