import { type RotatingServer, startRotatingServer } from '@latchkey/sandbox/rotating-server'
import type { Browser, BrowserContext, Page } from 'playwright'
import { type LabApp, startApp } from './lab.ts'
import type { Lab } from './page.ts'

declare const lab: Lab

export interface Storm {
  refreshRequests: number
  /** Number of callers without a token. */
  failures: number
  /** Number of different tokens that callers got. */
  tokens: number
  /** Whether the newest refresh token still works. */
  alive: boolean
}

export const TABS = 3
export const CALLERS = 50

/** Starts an app, and a server that revokes the grant when a refresh token is used twice. */
export async function startStorms() {
  const app = await startApp()
  const server = await startRotatingServer([`${app.origin}/callback`])
  return { app, server, close: () => Promise.all([app.close(), server.close()]) }
}

/**
 * Opens tabs on one account whose access token is about to end: too soon to be handed out. The clock of the pages goes
 * there. Their timers do not, so nothing refreshes it before a call does.
 */
export async function tabsAtExpiry(
  context: BrowserContext,
  app: LabApp,
  server: RotatingServer,
  count: number,
): Promise<Page[]> {
  const pages = await Promise.all(Array.from({ length: count }, () => context.newPage()))
  const [first] = pages
  if (!first) return []
  await Promise.all(pages.map((page) => page.goto(app.at(server.origin, { kind: 'oidc' }))))
  await first.bringToFront()
  await first.getByRole('button', { name: 'Connect Lab' }).click()
  for (const page of pages) await page.locator('body[data-status=connected]').waitFor()
  await context.clock.setFixedTime(Date.now() + (server.accessTtl - 30) * 1000)
  server.refreshes.length = 0
  return pages
}

/** 3 tabs, 50 callers in each, all at once. */
export async function storm(browser: Browser, app: LabApp, server: RotatingServer): Promise<Storm> {
  const context = await browser.newContext()
  try {
    const pages = await tabsAtExpiry(context, app, server, TABS)
    const answers = await Promise.all(
      pages.map((page) =>
        page.evaluate(
          (callers) =>
            Promise.all(
              Array.from({ length: callers }, () =>
                lab.client.getToken('lab').then(
                  (token) => ({ token }),
                  (error) => ({ error: String(error.code ?? error) }),
                ),
              ),
            ),
          CALLERS,
        ),
      ),
    )
    const refreshRequests = server.refreshes.length
    const got = answers.flat()
    const alive = await (pages[0] as Page).evaluate(() =>
      lab.client.getToken('lab', { minValidity: 1e6 }).then(
        () => true,
        () => false,
      ),
    )
    return {
      refreshRequests,
      failures: got.filter((one) => !('token' in one)).length,
      tokens: new Set(got.flatMap((one) => ('token' in one ? [one.token] : []))).size,
      alive,
    }
  } finally {
    await context.close()
  }
}
