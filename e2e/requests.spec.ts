import type { BrowserContext, Page } from '@playwright/test'
import { addresses, backDoor, card, expect, open, panel, test } from './demo.ts'

/** Counts the browser's requests from the click until the token arrives. */
async function counted(context: BrowserContext, page: Page, click: () => Promise<void>): Promise<string[]> {
  const asked: string[] = []
  const note = (request: { method(): string; url(): string }) => {
    const { pathname, protocol } = new URL(request.url())
    // What waits for the person is asked for all the time.
    if (protocol.startsWith('http') && pathname !== '/api/latchkey/requests')
      asked.push(`${request.method()} ${pathname}`)
  }
  context.on('request', note)
  const token = page.waitForResponse((response) => response.url().endsWith('/api/latchkey/token'))
  await click()
  await token
  context.off('request', note)
  return asked
}

/** The minimum of a hand-written flow: open a window, wait for the static callback page, send one POST. No checks. */
const floorPage = (
  authorize: string,
  verifier: string,
  redirect_uri: string,
  state: string,
  issuer: string,
) => `<!doctype html>
<button>Connect</button>
<script>
  document.querySelector('button').onclick = () => window.open(${JSON.stringify(authorize)}, '_blank', 'popup')
  const channel = new BroadcastChannel('latchkey:flow:${state}')
  channel.onmessage = ({ data }) => {
    channel.postMessage({ heard: true })
    channel.close()
    fetch('/api/latchkey/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'latchkey-request': '1' },
      body: JSON.stringify({
        provider: 'github', grant_type: 'authorization_code', response: data.query, state: '${state}',
        issuer: '${issuer}', code_verifier: '${verifier}', redirect_uri: '${redirect_uri}',
      }),
    })
  }
</script>`

/** Resets the stand-ins, so that every run goes through login and consent. */
async function strangers(context: BrowserContext): Promise<void> {
  await backDoor('github', 'reset', {})
  await context.clearCookies({ domain: '127.0.0.1' })
  await backDoor('github', 'policy', { auto: true, user: 'octocat' })
}

test('from click to token the browser sends no more requests than a hand-written minimum', async ({
  context,
  page,
}, info) => {
  await strangers(context)

  // Cold: no hover came before the click, so chunks and client ids are loaded too.
  await open(page)
  const cold = await counted(context, page, () => panel(page).getByRole('button', { name: 'Connect GitHub' }).click())
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')

  // Warm: hovering has loaded them already.
  await strangers(context)
  await page.goto('/api/latchkey/callback')
  await page.evaluate(async () => {
    localStorage.clear()
    for (const { name = '' } of await indexedDB.databases()) {
      await new Promise((resolve) => {
        indexedDB.deleteDatabase(name).onsuccess = resolve
      })
    }
  })
  await open(page)
  const button = panel(page).getByRole('button', { name: 'Connect GitHub' })
  await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/api/latchkey/providers')),
    button.hover(),
  ])
  await page.waitForLoadState('networkidle')
  const warm = await counted(context, page, () => button.click())
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')

  // The minimum, in the same browser with the same stand-in and broker.
  const redirect_uri = `${addresses.app}/api/latchkey/callback`
  const verifier = 'v'.repeat(43)
  const state = 's'.repeat(43)
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const parameters = new URLSearchParams({
    client_id: 'sandbox-github',
    redirect_uri,
    response_type: 'code',
    scope: 'read:user user:email',
    state,
    code_challenge: Buffer.from(hash).toString('base64url'),
    code_challenge_method: 'S256',
  })
  const authorize = `${addresses.github}/login/oauth/authorize?${parameters}`
  const body = floorPage(authorize, verifier, redirect_uri, state, `${addresses.github}/login/oauth`)
  await page.route('**/floor', (route) => route.fulfill({ contentType: 'text/html', body }))
  await strangers(context)
  await page.goto('/floor')
  const floor = await counted(context, page, () => page.getByRole('button').click())

  info.annotations.push({
    type: 'requests',
    description: `floor ${floor.length}, warm ${warm.length}, cold ${cold.length}`,
  })
  console.log(`requests from click to token: floor ${floor.length}, warm ${warm.length}, cold ${cold.length}`)
  expect(floor).toHaveLength(5)
  expect(warm).toHaveLength(floor.length)
})
