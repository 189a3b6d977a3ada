// `npm run test:engines`: the demo in Firefox and in WebKit, the engines of the browsers that Playwright cannot drive as
// Debian ships them. Closes with `N passed, N failed`.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { createServer } from 'node:net'
import puppeteer from 'puppeteer-core'
import { Builder, By, Capabilities, until } from 'selenium-webdriver'
import { buildPage, startDemo } from './demo-server.ts'

const PATIENCE = 30_000
const running = []

/** A program that ends with this one. */
function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  running.push(child)
  return child
}

/** Waits for a condition, asked again and again; says what it waited for when it never comes. */
async function eventually(what, condition) {
  const end = Date.now() + PATIENCE
  for (;;) {
    const value = await condition().catch(() => undefined)
    if (value) return value
    if (Date.now() > end) throw new Error(`This never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Installs what is missing, where that is possible without asking anybody. */
function install() {
  const places = {
    'firefox-esr': '/usr/bin/firefox-esr',
    'webkit2gtk-driver': '/usr/bin/WebKitWebDriver',
    xvfb: '/usr/bin/Xvfb',
  }
  const missing = Object.keys(places).filter((name) => !existsSync(places[name]))
  if (missing.length === 0) return
  const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
  const sudo = process.getuid?.() === 0 ? [] : works('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined
  if (!sudo) return console.log(`Not installed, and nobody may install it: ${missing.join(', ')}`)
  const apt = (...args) => {
    const [command, ...rest] = [...sudo, 'apt-get', ...args]
    spawnSync(command, rest, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  }
  console.log(`> apt-get install ${missing.join(' ')}`)
  apt('update', '-qq')
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing)
}

/** The back door of a demo's stand-ins. */
const backDoorOf = (addresses) => async (name, route, body) => {
  const response = await fetch(`${addresses[name]}/__sandbox/${route}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  assert.ok(response.ok, `${route}: ${response.status}`)
  return response.json().catch(() => undefined)
}

/**
 * What both drivers offer a test: tabs that run scripts and click. `script` is the body of a function that gets
 * `argument` and may return a promise.
 */
async function firefox() {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
    defaultViewport: { width: 1280, height: 900 },
  })
  const tab = (page) => ({
    goto: (url) => page.goto(url),
    reload: () => page.reload(),
    run: (script, argument) =>
      page.evaluate(`(async (argument) => { ${script} })(${JSON.stringify(argument) ?? 'undefined'})`),
    async click(name) {
      const button = await page.waitForSelector(
        `::-p-xpath(//*[self::button or @role="menuitem"][normalize-space()="${name}" or @aria-label="${name}"])`,
        { timeout: PATIENCE },
      )
      await page.bringToFront()
      await button.click()
    },
  })
  const known = new Set()
  return {
    name: `Firefox ${(await browser.version()).replace(/^\D*/, '')}`,
    async open(url) {
      const page = await browser.newPage()
      known.add(page)
      await page.goto(url)
      return tab(page)
    },
    /** The window that came up by itself. */
    async popup() {
      const page = await eventually('a window opens', async () =>
        (await browser.pages()).find((one) => !known.has(one) && /^http:\/\/127/.test(one.url())),
      )
      known.add(page)
      return tab(page)
    },
    close: () => browser.close(),
  }
}

async function webkit() {
  const display = `:${70 + (process.pid % 900)}`
  start('Xvfb', [display, '-screen', '0', '1280x1024x24'])
  const port = await freePort()
  start('WebKitWebDriver', [`--port=${port}`], {
    env: {
      ...process.env,
      DISPLAY: display,
      GDK_BACKEND: 'x11',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
      // Its sandbox does not start for root.
      ...(process.getuid?.() === 0 && { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' }),
    },
  })
  await eventually('the driver answers', async () => (await fetch(`http://127.0.0.1:${port}/status`)).ok)
  const [binary] = globSync('/usr/lib/*/webkit2gtk-4.*/MiniBrowser')
  const driver = await new Builder()
    .usingServer(`http://127.0.0.1:${port}`)
    .withCapabilities(
      new Capabilities({
        browserName: 'MiniBrowser',
        'webkitgtk:browserOptions': { binary, args: ['--automation'] },
      }),
    )
    .build()
  await driver.manage().setTimeouts({ script: PATIENCE, pageLoad: PATIENCE })
  const known = new Set()
  const tab = (handle) => {
    known.add(handle)
    const here = () => driver.switchTo().window(handle)
    return {
      async goto(url) {
        await here()
        await driver.get(url)
      },
      async reload() {
        await here()
        await driver.navigate().refresh()
      },
      async run(script, argument) {
        await here()
        const [value, error] = await driver.executeAsyncScript(
          `const [argument, done] = arguments; (async () => { ${script} })().then((value) => done([value]), (error) => done([null, String(error)]))`,
          argument ?? null,
        )
        if (error) throw new Error(error)
        return value
      },
      async click(name) {
        await here()
        const by = By.xpath(
          `//*[self::button or @role="menuitem"][normalize-space()="${name}" or @aria-label="${name}"]`,
        )
        const button = await driver.wait(until.elementLocated(by), PATIENCE)
        await driver.wait(until.elementIsVisible(button), PATIENCE)
        await button.click()
      },
    }
  }
  return {
    name: `WebKitGTK ${(await driver.getCapabilities()).get('browserVersion')}`,
    async open(url) {
      if (known.size > 0) await driver.switchTo().newWindow('tab')
      const one = tab(await driver.getWindowHandle())
      await one.goto(url)
      return one
    },
    async popup() {
      const handle = await eventually('a window opens', async () => {
        const handles = await driver.getAllWindowHandles()
        return handles.find((one) => !known.has(one))
      })
      return tab(handle)
    },
    close: () => driver.quit(),
  }
}

const status = `return [...document.querySelectorAll('article')].find((one) => one.dataset.provider === argument)?.dataset.status`
const becomes = (tab, provider, word) =>
  eventually(`${provider} is ${word}`, async () => (await tab.run(status, provider)) === word)

/** Everything in web storage and IndexedDB, as one text. */
const everythingStored = `
  const texts = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })]
  const asText = (value) => {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return new TextDecoder('latin1').decode(value)
    if (typeof value === 'object' && value !== null) return Object.entries(value).flat().map(asText).join(' ')
    return String(value)
  }
  const wait = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  for (const { name } of await indexedDB.databases()) {
    const database = await wait(indexedDB.open(name))
    for (const store of database.objectStoreNames) {
      texts.push(...(await wait(database.transaction(store).objectStore(store).getAll())).map(asText))
    }
    database.close()
  }
  return texts.join(' ')`

/** Notes the secrets of every token answer of this page, and how many there were. */
const listen = `
  window.__answers = []
  const fetch = window.fetch
  window.fetch = async (...args) => {
    const response = await fetch(...args)
    if (String(args[0]?.url ?? args[0]).endsWith('/api/latchkey/token')) {
      const { token } = await response.clone().json()
      window.__answers.push(token)
    }
    return response
  }`

const say = `
  const field = document.querySelector('textarea, [aria-label=Message]')
  const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value')
  set.call(field, argument)
  field.dispatchEvent(new Event('input', { bubbles: true }))
  field.closest('form').requestSubmit()`

/** The story of one account, told to an engine step by step; a step that fails ends it. */
function story({ app, backDoor }, engine) {
  let one
  let two
  let secrets = []
  const connect = async (tab, button, person) => {
    await tab.click(button)
    const popup = await engine.popup()
    await popup.click(`Continue as ${person}`)
    // The window closes itself under the driver's hands.
    await popup.click('Allow').catch(() => {})
  }
  return {
    async 'connects by popup'() {
      one = await engine.open(app)
      await becomes(one, 'gmail', 'disconnected')
      await one.run(listen)
      await backDoor('google', 'access-ttl', { seconds: 30 })
      await connect(one, 'Connect Gmail', 'Ada Lovelace')
      await becomes(one, 'gmail', 'connected')
      secrets = (await one.run('return window.__answers')).flatMap((token) => [token.access_token, token.refresh_token])
      assert.equal(secrets.filter(Boolean).length, 2)
    },
    async 'keeps secrets sealed'() {
      const stored = await one.run(everythingStored)
      assert.ok(stored.includes('ada@example.com'), 'facts are readable')
      for (const secret of secrets) assert.ok(!stored.includes(secret), 'no secret is')
      await one.run(`localStorage.setItem('planted', argument)`, secrets[0])
      assert.ok((await one.run(everythingStored)).includes(secrets[0]), 'the search finds what is there')
      await one.run(`localStorage.removeItem('planted')`)
      const errors = await one.run(`
        const wait = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
        const database = await wait(indexedDB.open('latchkey'))
        const keys = await wait(database.transaction('keys').objectStore('keys').getAll())
        database.close()
        return Promise.all(keys.map((key) => crypto.subtle.exportKey('raw', key).then(() => 'exported', (error) => error.name)))`)
      assert.deepEqual(errors, ['InvalidAccessError'])
    },
    async 'is still connected after a reload'() {
      await one.reload()
      await becomes(one, 'gmail', 'connected')
    },
    async 'refreshes once for two tabs'() {
      two = await engine.open(app)
      await becomes(two, 'gmail', 'connected')
      await backDoor('google', 'access-ttl', { seconds: 3600 })
      const refreshes = async () =>
        (await backDoor('google', 'log')).filter(({ body }) => body.includes('grant_type=refresh_token')).length
      const before = await refreshes()
      // By the clocks of both pages its token of 30 s is about to end, so sending needs a new one.
      for (const tab of [one, two]) await tab.run(`const { now } = Date; Date.now = () => now() + 25_000`)
      await one.run(say, 'Search my mail for invoices')
      await two.run(say, 'Search my mail for invoices')
      const answered = `return /invoice/i.test(document.querySelector('[role=log]')?.textContent.replace('Search my mail for invoices', '') ?? '')`
      await eventually('the first tab is answered', () => one.run(answered))
      await eventually('the second tab is answered', () => two.run(answered))
      assert.equal((await refreshes()) - before, 1)
      await becomes(two, 'gmail', 'connected')
    },
    async 'disconnects in both tabs, and the token is dead'() {
      await one.click('More options for Gmail')
      await one.click('Disconnect Gmail')
      await eventually('the dialog asks', () =>
        one.run(`return Boolean(document.querySelector('[role=dialog], [role=alertdialog]'))`),
      )
      await one.run(
        `[...document.querySelector('[role=dialog], [role=alertdialog]').querySelectorAll('button')].find((button) => button.textContent.trim() === 'Disconnect').click()`,
      )
      await becomes(one, 'gmail', 'disconnected')
      await becomes(two, 'gmail', 'disconnected')
      await eventually(
        'the refresh token is dead',
        async () => !(await backDoor('google', `tokens/${encodeURIComponent(secrets[1])}`)).active,
      )
      const all = await one.run(everythingStored)
      for (const secret of secrets) assert.ok(!all.includes(secret), 'no secret is left')
      // What was said stays: it is the person's, and the app's to keep.
      await one.run(
        `for (const key of Object.keys(sessionStorage)) if (key.startsWith('demo:chat:')) sessionStorage.removeItem(key)`,
      )
      const stored = await one.run(everythingStored)
      assert.ok(!stored.includes('ada@example.com'), 'nothing of the account is left')
    },
  }
}

let passed = 0
let failed = 0
/** One engine with a demo of its own, so that both run at once; says how it went when it is through. */
async function drive(kind, launch) {
  const lines = [kind]
  const no = (name, error) => {
    failed++
    lines.push(`  not ok  ${name}\n${error.stack}`)
  }
  let demo
  let engine
  let steps = {}
  try {
    demo = await startDemo('browser')
    engine = await launch()
    steps = story({ app: demo.addresses.app, backDoor: backDoorOf(demo.addresses) }, engine)
    lines[0] = engine.name
  } catch (error) {
    no('starts', error)
  }
  let broken = false
  for (const [name, step] of Object.entries(steps)) {
    try {
      if (broken) throw new Error('It did not get this far.')
      await step()
      passed++
      lines.push(`  ok      ${name}`)
    } catch (error) {
      broken = true
      no(name, error)
    }
  }
  await engine?.close().catch(() => {})
  await demo?.close()
  console.log(`\n${lines.join('\n')}`)
}

install()
try {
  await buildPage()
  await Promise.all([drive('Firefox', firefox), drive('WebKit', webkit)])
} catch (error) {
  failed++
  console.error(error)
} finally {
  for (const child of running.reverse()) child.kill()
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
