// Security cases B, 33-50: Popup and messaging. A release waits for 33, 36, 38-41, 44.
import { type BrowserContext, expect, type Frame, type Locator, type Page, test } from '@playwright/test'
import {
  goOn,
  html,
  type LabApp,
  type LabServer,
  linkOn,
  serve,
  startApp,
  startAuthorizationServer,
} from '../apps/bench/src/lab.ts'
import type { Lab } from '../apps/bench/src/page.ts'
import { card, test as inDemo, open, panel, throughPopup } from './demo.ts'
import { withStockChromium } from './stock.ts'

declare const lab: Lab

let app: LabApp
let server: LabServer

test.beforeEach(async () => {
  app = await startApp()
  server = await startAuthorizationServer()
})
test.afterEach(async () => {
  await app.close()
  await server.close()
})

const body = (page: Page | Frame): Locator => page.locator('body')
const outcome = (page: Page | Frame, word: string) => expect(body(page)).toHaveAttribute('data-outcome', word)
const status = (page: Page | Frame, word: string | RegExp) => expect(body(page)).toHaveAttribute('data-status', word)

/** Clicks Connect and waits until the window shows the authorization server. */
async function atServer(context: BrowserContext, page: Page | Frame): Promise<Page> {
  const [popup] = await Promise.all([
    context.waitForEvent('page'),
    page.getByRole('button', { name: 'Connect Lab' }).click(),
  ])
  await popup.getByRole('link', { name: 'Continue' }).waitFor()
  return popup
}

/** If the browser does not let the page close itself, it stays open and says so. */
const finishIn = (popup: Page) => popup.getByRole('link', { name: 'Continue' }).click({ noWaitAfter: true })

test('case 34: the window opens at once, even if discovery takes 6 s', async () => {
  test.slow()
  // The browser's own limit is the subject, so these seconds are real.
  const sixSeconds = () => new Promise((resolve) => setTimeout(resolve, 6000))
  server.discovery = sixSeconds
  await withStockChromium(async (context) => {
    const page = await context.newPage()
    await page.goto(app.at(server.origin, { kind: 'oidc' }))
    // Playwright runs nothing in the page meanwhile, because that counts as a user gesture.
    await page.evaluate((origin) => {
      const button = document.createElement('button')
      button.textContent = 'Too late'
      button.onclick = () =>
        setTimeout(
          () => fetch(`${origin}/${window.open('about:blank') ? 'opened' : 'blocked'}`, { mode: 'no-cors' }),
          6000,
        )
      document.body.append(button)
    }, server.origin)
    // This browser does block a window that opens too late.
    await page.getByRole('button', { name: 'Too late' }).click()
    await expect.poll(() => server.visits).toContain('/blocked')

    await page.getByRole('button', { name: 'Connect Lab' }).click()
    await expect.poll(() => server.redeemed.length).toBe(1)
    await outcome(page, 'connected')
  })
})

test('case 36: every top-level page connects, whatever the browser cuts and whatever `closed` says', async ({
  browser,
}) => {
  test.setTimeout(600_000)
  // In every run each two headers meet; all three meet in the long one.
  const all = Boolean(process.env.TEST_ALL)
  const values = [undefined, 'same-origin', 'same-origin-allow-popups', 'noopener-allow-popups']
  const header = (value?: string): Record<string, string> => (value ? { 'cross-origin-opener-policy': value } : {})
  const failed: string[] = []
  let lied = 0
  let count = 0
  // Most of the time the app waits for a window that seems closed. Four tests wait at once, each with its own servers.
  const lane = async (callback?: string) => {
    const [app, server] = await Promise.all([startApp(), startAuthorizationServer()])
    server.authorize.page = linkOn
    for (const [at, own] of values.slice(0, 3).entries()) {
      for (const theirs of values) {
        const turn = (values.indexOf(callback) + values.indexOf(theirs)) % values.length
        if (!all && turn % 3 !== at) continue
        // Three show the pattern; each of them may take a while.
        if (failed.length >= 3) break
        app.headers = { app: header(own), callback: header(callback) }
        server.authorize.headers = header(theirs)
        const context = await browser.newContext()
        try {
          const page = await context.newPage()
          await page.goto(app.at(server.origin))
          const popup = await atServer(context, page)
          // The app was told that the window is closed, but it is open.
          if (theirs) {
            await expect(body(page)).toHaveAttribute('data-reason', 'popup_closed')
            await status(page, 'connecting')
            lied++
          }
          await finishIn(popup)
          await outcome(page, 'connected')
          expect(await page.evaluate(() => lab.words)).toEqual(['disconnected', 'connecting', 'connected'])
        } catch (error) {
          failed.push(`app ${own}, server ${theirs}, callback ${callback}: ${error}`)
        } finally {
          await context.close()
        }
        count++
      }
    }
    await Promise.all([app.close(), server.close()])
  }
  await Promise.all(values.map(lane))
  expect(failed).toEqual([])
  expect(count).toBe(all ? 48 : 16)
  expect(lied).toBe(all ? 36 : 12)
})

inDemo(
  'case 37: a window that seems closed leaves two actions, and a late answer still connects',
  async ({ context, page }) => {
    await page.clock.install()
    await open(page)
    const [popup] = await Promise.all([
      page.waitForEvent('popup'),
      panel(page).getByRole('button', { name: 'Connect GitHub' }).click(),
    ])
    await popup.getByRole('button', { name: 'Continue as The Octocat' }).waitFor()
    const address = popup.url()
    await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1000)
    await popup.close()
    await expect.poll(() => context.pages().length).toBe(1)
    await page.clock.runFor(2000)
    await expect(card(page, 'github')).toContainText('Window closed before you finished')
    await expect(card(page, 'github').getByRole('button', { name: 'Try again with GitHub' })).toBeVisible()
    await expect(card(page, 'github').getByRole('button', { name: /^Cancel/ })).toBeVisible()
    await page.clock.resume()

    // It was not closed: the person finishes late.
    const late = await context.newPage()
    await late.goto(address)
    await late.getByRole('button', { name: 'Continue as The Octocat' }).click()
    await late.getByRole('button', { name: 'Allow' }).click({ noWaitAfter: true })
    await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')

    // Without a response the flow ends after ten minutes with a sentence, and can start again.
    const [left] = await Promise.all([
      page.waitForEvent('popup'),
      panel(page).getByRole('button', { name: 'Connect Gmail' }).click(),
    ])
    await left.getByRole('button', { name: 'Continue as Ada Lovelace' }).waitFor()
    await left.close()
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'connecting')
    await page.clock.fastForward('10:01')
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'disconnected')
    await expect(card(page, 'gmail')).toContainText('timed out')
    await throughPopup(page, () => panel(page).getByRole('button', { name: 'Connect Gmail' }).click(), 'Ada Lovelace')
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'connected')
  },
)

test('case 43: an answer that arrives through all channels at once is redeemed once', async ({ context, page }) => {
  server.authorize.page = linkOn
  await page.goto(app.at(server.origin))
  const popup = await atServer(context, page)
  const next = new URL((await popup.getByRole('link').getAttribute('href')) ?? '')
  const flood = { query: next.search, state: next.searchParams.get('state') ?? '' }
  const stranger = await context.newPage()
  await stranger.goto(`${app.origin}/callback`)
  const fire = (one: Page) =>
    one.evaluate(({ query, state }) => {
      const channel = new BroadcastChannel(`latchkey:flow:${state}`)
      for (let time = 0; time < 3; time++) {
        channel.postMessage({ query })
        for (const target of [window, window.opener] as (Window | null)[])
          target?.postMessage({ query, latchkey: state }, location.origin)
        localStorage.setItem(`latchkey:flow:${state}`, JSON.stringify({ query, response: query, time }))
      }
    }, flood)
  await Promise.all([
    fire(stranger),
    page.evaluate(({ query }) => window.postMessage({ query }, location.origin), flood),
    finishIn(popup),
  ])
  await outcome(page, 'connected')
  await fire(stranger)
  await page.evaluate((url) => lab.client.handleRedirect(url).catch(() => {}), next.href)
  expect(server.redeemed).toEqual([next.searchParams.get('code')])
  await status(page, 'connected')
})

test("case 44: a hostile server page cannot navigate the app's tab", async ({ context, page }) => {
  server.authorize.page = (next) =>
    `<script>try { opener.location = '${server.origin}/phish' } catch {} fetch('/tried')</script>${linkOn(next)}`
  await page.goto(app.at(server.origin))
  const address = page.url()
  const popup = await atServer(context, page)
  await expect.poll(() => server.visits).toContain('/tried')
  await finishIn(popup)
  await outcome(page, 'connected')
  expect(page.url()).toBe(address)
  expect(server.visits).not.toContain('/phish')
})

test("case 46: an app inside another site's page connects, or offers to open it in its own tab", async () => {
  test.slow()
  const foreign = await serve((_request, response) =>
    html(response, `<!doctype html><iframe src="${app.at(theirs)}" width="600" height="400"></iframe>`),
  )
  const host = `http://host.localhost:${foreign.port}`
  const theirs = `http://server.localhost:${server.port}`
  const embedded = async (context: BrowserContext): Promise<[Page, Frame]> => {
    const page = await context.newPage()
    await page.goto(host)
    const frame = page.frames().find((one) => one !== page.mainFrame()) as Frame
    await status(frame, 'disconnected')
    return [page, frame]
  }
  try {
    server.authorize.page = linkOn
    await withStockChromium(async (context) => {
      const [page, frame] = await embedded(context)
      // Storage is partitioned here: accounts of the same origin at top level are not visible.
      const top = await context.newPage()
      await top.goto(`${app.origin}/callback`)
      await top.evaluate(() => localStorage.setItem('seen', 'yes'))
      expect(await frame.evaluate(() => localStorage.getItem('seen'))).toBeNull()
      await top.close()
      const popup = await atServer(context, frame)
      await finishIn(popup)
      await outcome(frame, 'connected')
      await page.close()
    })
    server.authorize.headers = { 'cross-origin-opener-policy': 'same-origin' }
    await withStockChromium(async (context) => {
      const [, frame] = await embedded(context)
      const popup = await atServer(context, frame)
      await finishIn(popup)
      // The card offers to open the app in its own tab, and to cancel.
      await expect(body(frame)).toHaveAttribute('data-reason', 'embedded')
      await frame.evaluate(() => lab.client.cancel('lab'))
      await outcome(frame, 'cancelled')
      await status(frame, 'disconnected')
    })
  } finally {
    await foreign.close()
  }
})

test('case 49: a reload during a flow ends in an account or an error, never in an endless Connecting', async ({
  context,
  page,
}) => {
  server.authorize.page = linkOn
  await page.goto(app.at(server.origin))
  // Windows stay open: asking one to close in the middle of a navigation can hang, and the context ends them all.

  // While the person is at the server.
  let popup = await atServer(context, page)
  await page.reload()
  await status(page, 'connecting')
  await finishIn(popup)
  await status(page, 'connected')
  await page.evaluate(() => lab.client.disconnectAll())
  await status(page, 'disconnected')

  // While the code is redeemed: it is used up, so the flow cannot continue.
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  server.token = () => {
    asked.resolve()
    return released
  }
  popup = await atServer(context, page)
  await finishIn(popup)
  await asked.promise
  await page.reload()
  release()
  await status(page, /^(connected|disconnected)$/)
  server.token = () => Promise.resolve()

  // Everything about the flow is deleted.
  popup = await atServer(context, page)
  await page.evaluate(() => sessionStorage.clear())
  await page.reload()
  await status(page, /^(connected|disconnected)$/)
  await finishIn(popup)

  // It still works afterwards.
  server.authorize.page = goOn
  await page.getByRole('button', { name: 'Connect Lab' }).click()
  await outcome(page, 'connected')
})
