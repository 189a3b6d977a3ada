// `node .setup/ensure-browser.mjs`: a Chromium for whatever runs next.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const windows = process.platform === 'win32'

/** Finds a Chromium, or installs one: from Debian's packages as root, else Playwright's own. */
export async function ensureBrowser() {
  const { executablePath } = await import('./browser.mjs')
  if (executablePath) return
  const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
  const sudo = process.getuid?.() === 0 ? [] : works('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined
  if (sudo && existsSync('/etc/debian_version') && works('apt-get', ['--version'])) {
    const apt = (...args) => {
      const [command, ...rest] = [...sudo, 'apt-get', ...args]
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
      return spawnSync(command, rest, { stdio: 'inherit', env }).status === 0
    }
    console.log('> apt-get install chromium')
    apt('update', '-qq')
    if (apt('install', '-y', '-qq', '--no-install-recommends', 'chromium')) return
  }
  spawnSync('pnpm', ['exec', 'playwright', 'install', 'chromium'], { stdio: 'inherit', shell: windows })
}

if (import.meta.main) await ensureBrowser()
