import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  addresses,
  card,
  carried,
  connectGitHub,
  connectGmail,
  connectKaggle,
  conversation,
  everythingStored,
  expect,
  kaggleCredentials,
  open,
  panel,
  say,
  shownTokens,
  test,
} from './demo.ts'

test('no secret is in the database, in a log, in the browser, or in any request except the one that sends a key', async ({
  page,
  custody,
  demo,
}) => {
  const said: string[] = []
  page.on('console', (message) => said.push(message.text()))
  const sent: { url: string; text: string }[] = []
  page.context().on('request', (request) => {
    if (!request.url().startsWith(addresses.app)) return
    sent.push({
      url: request.url(),
      text: `${request.url()} ${JSON.stringify(request.headers())} ${request.postData()}`,
    })
  })
  const received: string[] = []
  await page.route('**/api/**', async (route) => {
    const response = await route.fetch()
    received.push(await response.text())
    await route.fulfill({ response })
  })
  const { token } = await kaggleCredentials()
  await open(page)
  await page.getByText('Developer', { exact: true }).click()
  await expect(page.getByText(`stored encrypted on the server (${custody})`)).toBeVisible()
  await connectGitHub(page)
  await connectGmail(page)
  await connectKaggle(page, token)
  const run = await say(page, 'List my repositories, my datasets and search my mail for invoices')
  await expect(conversation(page)).toContainText('adalovelace/')
  expect(carried(run).sort()).toEqual(['github', 'gmail', 'kaggle'])
  const body = run.postDataJSON() as { identities?: unknown; connectedAccounts: object[] }
  expect(body.identities).toBeUndefined()
  for (const reference of body.connectedAccounts) {
    expect(Object.keys(reference).sort()).toEqual(['accountId', 'provider', 'scopes', 'status'])
  }

  const secrets = [token, ...new Set([...(await shownTokens('github')), ...(await shownTokens('google'))])]
  expect(secrets.length).toBeGreaterThanOrEqual(3)

  // First check that the search can find a secret.
  await demo.plant('CANARY_PLANTED')
  const planted = demo.stolen()
  expect(planted.database).toContain('CANARY_PLANTED')
  expect(planted.log).toContain('CANARY_PLANTED')
  expect(planted.database).toContain('octocat')

  const stored = await everythingStored(page)
  for (const secret of secrets) {
    expect(planted.database).not.toContain(secret)
    expect(planted.database).not.toContain(Buffer.from(secret).toString('hex'))
    expect(planted.log).not.toContain(secret)
    expect(stored).not.toContain(secret)
    expect(said.join('\n')).not.toContain(secret)
    expect(received.join('\n')).not.toContain(secret)
    const carriers = sent.filter(({ text }) => text.includes(secret)).map(({ url }) => new URL(url).pathname)
    expect(carriers).toEqual(secret === token ? ['/api/latchkey/accounts'] : [])
  }
  // The page asks for what waits again and again: an answer may be under way.
  await page.unrouteAll({ behavior: 'ignoreErrors' })
})

test('accounts are restored after a reload, and those that the server removed are gone', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await page.reload()
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')
  // Disconnected elsewhere, with the same session.
  const id = await page.evaluate(() => Object.keys(localStorage).find((key) => key.startsWith('latchkey:github.')))
  const ended = await page.evaluate(async (account) => {
    const response = await fetch(`/api/latchkey/accounts/${account}`, {
      method: 'DELETE',
      headers: { 'latchkey-request': '1' },
    })
    return response.json() as Promise<{ status: string }>
  }, id?.slice('latchkey:'.length))
  expect(ended.status).toBe('revoked')
  await page.reload()
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
})

test("case 124: inside another site's page nothing starts without a click, and the window is a top-level page", async ({
  page,
}) => {
  const host = createServer((_, response) =>
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><iframe src="${addresses.app}" style="width:1200px;height:900px"></iframe>`),
  )
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  try {
    const asked: string[] = []
    const opened: string[] = []
    page.context().on('request', (request) => asked.push(new URL(request.url()).pathname))
    page.context().on('page', (popup) => opened.push(popup.url()))
    await page.goto(`http://127.0.0.1:${(host.address() as AddressInfo).port}`)
    const frame = page.frameLocator('iframe')
    const button = frame
      .getByRole('region', { name: 'Connected Accounts' })
      .getByRole('button', { name: 'Connect GitHub' })
    await button.hover()
    await page.waitForLoadState('networkidle')
    expect(opened).toEqual([])
    expect(asked.filter((path) => /^\/api\/latchkey\/(flows|token)|\/authorize/.test(path))).toEqual([])
    const [popup] = await Promise.all([page.waitForEvent('popup'), button.click()])
    expect(popup.mainFrame().parentFrame()).toBeNull()
    // From an iframe, the sign-in page still opens as a top-level page.
    expect(await panel(page).count()).toBe(0)
  } finally {
    host.closeAllConnections()
    host.close()
  }
})
