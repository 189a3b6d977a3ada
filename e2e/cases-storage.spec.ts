// Security cases C, 51-65: Browser storage. A release waits for 51, 58.
import type { ConnectedAccount } from '@latchkey/core'
import { type RotatingServer, startRotatingServer } from '@latchkey/sandbox/rotating-server'
import { expect, type Page, test } from '@playwright/test'
import { type LabApp, type LabServer, startApp, startAuthorizationServer } from '../apps/bench/src/lab.ts'
import type { Lab } from '../apps/bench/src/page.ts'
import { CALLERS, startStorms, storm, TABS, tabsAtExpiry } from '../apps/bench/src/storm.ts'
import { everythingStored } from './demo.ts'

declare const lab: Lab

let app: LabApp
let server: LabServer

test.beforeAll(async () => {
  app = await startApp()
  server = await startAuthorizationServer()
})
test.afterAll(async () => {
  await app.close()
  await server.close()
})

const status = (page: Page, word: string) => expect(page.locator('body')).toHaveAttribute('data-status', word)

async function connect(page: Page, address = app.at(server.origin)): Promise<void> {
  await page.goto(address)
  await page.getByRole('button', { name: 'Connect Lab' }).click()
  await status(page, 'connected')
}

/** Rows of a store of Latchkey's database. */
const rows = (page: Page, store: string) =>
  page.evaluate(
    (store) =>
      new Promise<unknown[]>((resolve, reject) => {
        const request = indexedDB.open('latchkey')
        request.onerror = () => reject(request.error)
        request.onsuccess = () => {
          const database = request.result
          const end = (found: unknown[]) => {
            database.close()
            resolve(found)
          }
          if (!database.objectStoreNames.contains(store)) return end([])
          const all = database.transaction(store).objectStore(store).getAll()
          all.onsuccess = () => end(all.result.map((row) => (row instanceof CryptoKey ? row.algorithm.name : row)))
        }
      }),
    store,
  )

test('case 51: no token, key or verifier can be read in any storage after a default connect', async ({ page }) => {
  server.secrets.length = 0
  await connect(page)
  const secrets = server.secrets.filter((secret) => !secret.includes('CODE'))
  expect(secrets).toHaveLength(2)
  const { custody } = await page.evaluate(() => lab.client.getSnapshot())
  expect(custody).toBe('sealed')
  const stored = await everythingStored(page)
  expect(stored).toContain('latchkey:lab.')
  expect(stored).toContain('ada')
  expect(stored).not.toContain('CANARY')
  expect(stored).not.toContain('code_verifier')
  // Nor in any encoding.
  for (const secret of secrets) {
    for (const form of [btoa(secret), encodeURIComponent(secret), [...secret].reverse().join('')]) {
      expect(stored).not.toContain(form.slice(0, 24))
    }
  }
  expect(await page.evaluate(async () => (await caches.keys()).join())).toBe('')
  expect(await page.evaluate(() => document.cookie)).toBe('')
  // The search can find text that is there.
  await page.evaluate((secret) => localStorage.setItem('planted', secret), secrets[0] ?? '')
  expect(await everythingStored(page)).toContain('CANARY')
})

test('case 53: the key cannot be exported; without it the account keeps its name and asks to be reconnected', async ({
  page,
}) => {
  await connect(page)
  const errors = await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('latchkey')
      request.onsuccess = () => resolve(request.result)
    })
    const keys = await new Promise<CryptoKey[]>((resolve) => {
      const request = database.transaction('keys').objectStore('keys').getAll()
      request.onsuccess = () => resolve(request.result)
    })
    const errors: string[] = []
    for (const format of ['raw', 'jwk'] as const) {
      for (const key of keys) {
        await crypto.subtle.exportKey(format, key).then(
          () => errors.push('exported'),
          (error: DOMException) => errors.push(error.name),
        )
      }
    }
    const transaction = database.transaction('keys', 'readwrite')
    transaction.objectStore('keys').clear()
    await new Promise((resolve) => {
      transaction.oncomplete = resolve
    })
    database.close()
    return errors
  })
  expect(errors).toEqual(['InvalidAccessError', 'InvalidAccessError'])
  const account = async () => {
    const found = await page.evaluate(() => JSON.stringify(Object.values(lab.client.getSnapshot().accounts)[0]))
    return JSON.parse(found) as ConnectedAccount
  }
  const before = await account()
  expect(before).toMatchObject({ subject: 'ada', username: 'ada', status: 'connected' })
  await page.reload()
  const code = await page.evaluate(() =>
    lab.client.getToken('lab').then(
      () => 'a token',
      (error) => error.code,
    ),
  )
  expect(code).toBe('secret_unavailable')
  await status(page, 'needs-reconnect')
  expect(await account()).toEqual({ ...before, status: 'needs-reconnect', reason: 'secret_unavailable' })
  // One click reconnects it.
  await page.getByRole('button', { name: 'Connect Lab' }).click()
  await status(page, 'connected')
  expect(await page.evaluate(() => Object.keys(lab.client.getSnapshot().accounts))).toEqual([before.id])
})

test('case 59: signing out empties the other tab, and leaves no secret, flow or verifier behind', async ({
  context,
  page,
}) => {
  await connect(page)
  const other = await context.newPage()
  await other.goto(app.at(server.origin))
  await status(other, 'connected')
  await other.evaluate(() => lab.client.getToken('lab'))
  // Both tabs have a running flow.
  await page.evaluate(() => sessionStorage.setItem('latchkey:flow:left', JSON.stringify({ code_verifier: 'left' })))
  await other.evaluate(() => sessionStorage.setItem('latchkey:flow:left', JSON.stringify({ code_verifier: 'left' })))
  await page.evaluate(() => lab.client.signOut())
  await status(page, 'disconnected')
  await status(other, 'disconnected')
  for (const one of [page, other]) {
    await expect
      .poll(() => one.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('latchkey:flow:'))))
      .toEqual([])
    expect(await one.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('latchkey:lab')))).toEqual(
      [],
    )
    const code = await one.evaluate(() =>
      lab.client.getToken('lab').then(
        () => 'a token',
        (error) => error.code,
      ),
    )
    expect(code).toBe('login_required')
  }
  const sealed = (await rows(page, 'secrets')).filter((row) => (row as { sealed: unknown } | null)?.sealed)
  expect(sealed).toEqual([])
  await page.reload()
  await status(page, 'disconnected')
})

test.describe('at a server that revokes everything when a refresh token is used twice', () => {
  let rotating: RotatingServer

  test.beforeAll(async () => {
    rotating = await startRotatingServer([`${app.origin}/callback`])
  })
  test.afterAll(() => rotating.close())
  test.beforeEach(() => {
    rotating.onTokenRequest = undefined
  })

  const token = (page: Page) => page.evaluate(() => lab.client.getToken('lab'))

  test('case 67: two tabs at expiry make one refresh, and both get the new token', async ({ context }) => {
    const [one, two] = (await tabsAtExpiry(context, app, rotating, 2)) as [Page, Page]
    // The first waits inside its lock until the second has asked, too.
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    rotating.onTokenRequest = () => {
      asked.resolve()
      return released
    }
    const first = token(one)
    await asked.promise
    const second = token(two)
    await expect
      .poll(() => two.evaluate(async () => (await navigator.locks.query()).pending?.length))
      .toBeGreaterThanOrEqual(1)
      .catch((error) => {
        release()
        throw error
      })
    release()
    expect(await second).toBe(await first)
    expect(rotating.refreshes.map(({ status }) => status)).toEqual([200])
    // The grant still works: one more refresh succeeds.
    await one.evaluate(() => lab.client.getToken('lab', { minValidity: 1e6 }))
    expect(rotating.refreshes.map(({ status }) => status)).toEqual([200, 200])
  })

  test('case 68: if the tab that holds the lock is closed, another tab refreshes, and a third reads its token', async ({
    context,
  }) => {
    const [holder, other] = (await tabsAtExpiry(context, app, rotating, 2)) as [Page, Page]
    const never = new Promise<void>(() => {})
    const asked = Promise.withResolvers<void>()
    let came = 0
    rotating.onTokenRequest = () => {
      asked.resolve()
      // The closing tab's request never reaches the server.
      return ++came === 1 ? never : undefined
    }
    token(holder).catch(() => {})
    await asked.promise
    const waiting = token(other)
    await expect
      .poll(() => other.evaluate(async () => (await navigator.locks.query()).pending?.length))
      .toBeGreaterThanOrEqual(1)
    await holder.close()
    const from = Date.now()
    const got = await waiting
    // The browser's own time to notice, and one request.
    expect(Date.now() - from).toBeLessThan(5000)
    expect(rotating.refreshes.map(({ status }) => status)).toEqual([200])
    // A third tab reads the second one's token from storage instead of refreshing.
    const third = await context.newPage()
    await third.goto(app.at(rotating.origin, { kind: 'oidc' }))
    expect(await token(third)).toBe(got)
    expect(rotating.refreshes).toHaveLength(1)
  })
})

test(`a storm of ${TABS} tabs x ${CALLERS} callers at expiry makes one refresh request, three times over`, async ({
  browser,
}) => {
  const storms = await startStorms()
  try {
    for (let repeat = 0; repeat < 3; repeat++) {
      const found = await storm(browser, storms.app, storms.server)
      expect(found).toEqual({ refreshRequests: 1, failures: 0, tokens: 1, alive: true })
    }
  } finally {
    await storms.close()
  }
})
