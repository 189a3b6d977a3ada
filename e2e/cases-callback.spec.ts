import { callbackPage } from '@latchkey/core/callback'
import type { Page } from '@playwright/test'
import { html, serve } from '../apps/bench/src/lab.ts'
import { addresses, card, expect, open, panel, test } from './demo.ts'

let callback = ''
test.beforeAll(({ demo }) => {
  callback = `${demo.addresses.app}/api/latchkey/callback`
})
const attack = '<img src=x onerror="window.__pwn=1">'
const pwned = () => (window as unknown as { __pwn?: number }).__pwn

test('case 20: markup in an error text is never executed, whoever sent the response', async ({ context, page }) => {
  const query = (state: string) =>
    `?${new URLSearchParams({ error: 'server_error', error_description: attack, state })}`
  // Without the broker's CSP, the page must be safe by itself.
  const bare = await serve((_request, response) => html(response, callbackPage))
  try {
    for (const address of [callback, bare.origin]) {
      for (const search of [
        `?error=x&error_description=${encodeURIComponent(attack)}`,
        query('nobody'.padEnd(43, '-')),
      ]) {
        await page.goto(address + search)
        await expect(page.locator('p')).toHaveText(search.includes('state') ? 'One moment' : 'Return to the app.')
        expect(await page.evaluate(pwned)).toBeUndefined()
        await expect(page.locator('img')).toHaveCount(0)
      }
    }
  } finally {
    await bare.close()
  }

  // The waiting app shows the error as text.
  await open(page)
  await Promise.all([page.waitForEvent('popup'), panel(page).getByRole('button', { name: 'Connect GitHub' }).click()])
  const states = () =>
    page.evaluate(() => Object.keys(sessionStorage).flatMap((key) => /^latchkey:flow:(.*)/.exec(key)?.[1] ?? []))
  await expect.poll(states).toHaveLength(1)
  const [state = ''] = await states()
  const answer = await context.newPage()
  await answer.goto(callback + query(state))
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  expect(await page.evaluate(pwned)).toBeUndefined()
  await expect(page.locator('img[src="x"]')).toHaveCount(0)
})

test('case 21: the code leaves the address, the history and the Referer at once', async ({ context, page }) => {
  await page.goto('about:blank')
  const referrers: (string | undefined)[] = []
  const elsewhere = await serve((request, response, { pathname }) => {
    if (pathname === '/') referrers.push(request.headers.referer)
    html(response, '<!doctype html><p>Elsewhere')
  })
  try {
    await page.goto(callback)
    const length = await page.evaluate(() => history.length)
    await page.evaluate(
      (to) => location.replace(to),
      `${callback}?code=CANARY_CODE&state=${'CANARY_STATE'.padEnd(43, '-')}`,
    )
    await expect(page.locator('p')).toHaveText('One moment')
    expect(await page.evaluate(() => location.search + location.hash)).toBe('')
    expect(page.url()).toBe(callback)
    expect(await page.evaluate(() => history.length)).toBe(length)
    // Two ways to leave the page. Neither sends a Referer.
    await page.evaluate((to) => {
      location.href = to
    }, elsewhere.origin)
    await expect(page.locator('p')).toHaveText('Elsewhere')
    expect(await page.evaluate(() => document.referrer)).toBe('')
    await page.goBack()
    await expect(page.locator('p')).not.toHaveText('Elsewhere')
    expect(page.url()).not.toContain('CANARY')
    expect(referrers).toEqual([undefined])
    expect(
      context
        .pages()
        .map((one) => one.url())
        .join(),
    ).not.toContain('CANARY')
  } finally {
    await elsewhere.close()
  }
})

test('case 22: the served callback page is tiny and static, and has a strict CSP', async () => {
  const response = await fetch(`${callback}?code=x&state=y`)
  const body = await response.text()
  expect(response.status).toBe(200)
  expect(body.length).toBeLessThan(2048)
  expect(body).not.toMatch(/https?:|src=|href=|import|url\(/)
  // The page is the same for everyone: it contains nothing of the request.
  expect(body).toBe(await (await fetch(callback)).text())
  const policy = response.headers.get('content-security-policy') ?? ''
  const script = /<script>([\s\S]*?)<\/script>/.exec(body)?.[1] ?? ''
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(script))
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain(`script-src 'sha256-${Buffer.from(hash).toString('base64')}'`)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toMatch(/unsafe|\*/)
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  expect(response.headers.get('cache-control')).toContain('no-store')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('cross-origin-opener-policy')).toBeNull()
  expect(response.headers.get('set-cookie')).toBeNull()
})

test('case 41: the callback page posts its code to no opener of another origin', async ({ context, page }) => {
  const opening = `<!doctype html><button>Open</button><script>
    window.got = []
    onmessage = ({ data }) => got.push(JSON.stringify(data))
    document.querySelector('button').onclick = () => open(new URLSearchParams(location.search).get('to'))
  </script>`
  const foreign = await serve((_request, response) => html(response, opening))
  const to = (state: string) => `${callback}?code=CANARY_CODE&state=${state.padEnd(43, '-')}`
  const got = (one: Page) => one.evaluate(() => (window as unknown as { got: string[] }).got)
  const listener = await context.newPage()
  try {
    await listener.goto(callback)
    await page.goto(`${foreign.origin}?to=${encodeURIComponent(to('foreign'))}`)
    const heard = listener.evaluate(
      () =>
        new Promise((resolve) => {
          let times = 0
          const name = `latchkey:flow:${'foreign'.padEnd(43, '-')}`
          new BroadcastChannel(name).onmessage = () => ++times === 2 && resolve(times)
        }),
    )
    await page.getByRole('button', { name: 'Open' }).click()
    // By now it has posted twice, so the first message has arrived.
    await heard
    expect(await got(page)).toEqual([])

    // An opener of its own origin does get it.
    await page.route(`${addresses.app}/opening**`, (route) =>
      route.fulfill({ contentType: 'text/html', body: opening }),
    )
    await page.goto(`${addresses.app}/opening?to=${encodeURIComponent(to('own'))}`)
    await page.getByRole('button', { name: 'Open' }).click()
    await expect.poll(async () => (await got(page)).join()).toContain('CANARY_CODE')
  } finally {
    await foreign.close()
  }
})
