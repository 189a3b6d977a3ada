import { randomBytes } from 'node:crypto'
import {
  type LogEntry,
  type McpSandbox,
  type Sandbox,
  type StandIn,
  startMcpSandbox,
  startSandbox,
} from '@latchkey/sandbox'
import { test as base, type Page, type Request } from '@playwright/test'
import {
  agree,
  card,
  carried,
  connectGitHub,
  connectGmail,
  conversation,
  disconnect,
  expect,
  expectConnected,
  panel,
  say,
  sayAndAllow,
  throughPopup,
} from './demo.ts'
import { type Custody, createRestartedApp, type RestartedApp, servicesOf } from './demo-server.ts'

const test = base.extend<object, { custody: Custody }>({ custody: ['browser', { option: true, scope: 'worker' }] })

/** The services as they were when accounts were connected, and the same again at other addresses. */
let sandbox: Sandbox
let moved: Sandbox
let mcp: McpSandbox
let app: RestartedApp

test.beforeEach(async ({ custody }) => {
  app = await createRestartedApp(custody !== 'browser')
  const appOrigins = [app.origin]
  ;[sandbox, moved, mcp] = await Promise.all([
    startSandbox({ appOrigins }),
    startSandbox({ appOrigins }),
    startMcpSandbox({ appOrigins }),
  ])
  await app.start({ ...servicesOf(sandbox), mcpOrigins: mcp.all.map(({ url }) => url) })
})
test.afterEach(async () => {
  await app.close()
  await Promise.all([sandbox.close(), moved.close(), mcp.close()])
})

const home = () => `${app.origin}/`
async function visit(page: Page): Promise<void> {
  await page.goto(home())
  await expect(panel(page)).toBeVisible()
}

/** A secret as it is, in hexadecimal, and in base64, wherever in a longer text it stands there. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const whole = (skip: number) => bytes.subarray(skip, skip + Math.floor((bytes.length - skip) / 3) * 3)
  const base64 = [0, 1, 2].flatMap((skip) => [whole(skip).toString('base64'), whole(skip).toString('base64url')])
  return [secret, bytes.toString('hex'), ...base64]
}

/** The requests of a log that hold one of these secrets in their address, a header or their body. */
function holding(log: readonly LogEntry[], secrets: Iterable<string>): string[] {
  const forms = [...secrets].flatMap(formsOf)
  return log.flatMap(({ method, path, search, headers, body }) => {
    const text = [path, search, ...Object.entries(headers).flat(), body].join('\n')
    const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    return forms.some((form) => text.includes(form) || decoded.includes(form)) ? [`${method} ${path}`] : []
  })
}

/** What the requests of a server's log show: codes, verifiers, tokens and keys. */
const secretsIn = (log: readonly LogEntry[]) =>
  log.flatMap(({ headers, body }) => {
    const form = new URLSearchParams(body)
    const named = ['code', 'code_verifier', 'refresh_token', 'token'].map((name) => form.get(name))
    const shown = /^(?:bearer|token) (.+)$/i.exec(headers.authorization ?? '')?.[1]
    return [...named, shown].filter((value) => typeof value === 'string')
  })

/** Finds a planted secret in every place and form of a server's requests, and empties its log. */
async function expectToBeHeard(server: StandIn): Promise<void> {
  const canary = `CANARY_${randomBytes(20).toString('base64url')}`
  server.log.length = 0
  const at = `${server.url}/planted`
  for (const form of formsOf(canary)) {
    await fetch(`${at}?x=${encodeURIComponent(form)}`)
    await fetch(`${at}/${encodeURIComponent(form)}`)
    await fetch(at, { headers: { 'x-planted': form } })
    await fetch(at, { method: 'POST', body: new URLSearchParams({ planted: form }) })
  }
  for (const user of ['a', 'ab', 'abc']) await fetch(at, { headers: { authorization: `Basic ${btoa(user + canary)}` } })
  expect(server.log).toHaveLength(formsOf(canary).length * 4 + 3)
  expect(holding(server.log, [canary])).toHaveLength(server.log.length)
  server.log.length = 0
}

const pasteBox = (page: Page) => page.getByRole('textbox', { name: 'mcpServers JSON' })
async function paste(page: Page, config: object): Promise<void> {
  if (!(await pasteBox(page).isVisible())) {
    await page.getByRole('button', { name: 'Add server' }).click()
    await page.getByRole('button', { name: 'Paste JSON instead' }).click()
  }
  await pasteBox(page).fill(JSON.stringify(config))
  await page.getByRole('button', { name: 'Continue' }).click()
}

/** The last answer that asks for an account of a provider. */
const prompt = (page: Page, provider: string) =>
  conversation(page).locator(`.latchkey-prompt[data-provider="${provider}"]`).last()

/** Sends to the app, as it is now, what a page sent before. */
const sendAgain = (page: Page, to: string, body: object) =>
  page.request.post(`${home()}api/${to}`, { data: body, headers: { origin: app.origin } })

const body = (run: Request) => run.postDataJSON() as Record<string, unknown>

test('case 217: of two MCP servers with one name, the second gets no token of the first @vault', async ({ page }) => {
  const { notes, tickets: hostile } = mcp
  const secrets = new Set<string>()
  await page.route(`${notes.url}/token`, async (route) => {
    const response = await route.fetch()
    const { access_token, refresh_token } = (await response.json()) as Record<string, string>
    for (const token of [access_token, refresh_token]) if (token) secrets.add(token)
    await route.fulfill({ response })
  })
  await visit(page)
  await connectGitHub(page)
  await paste(page, { notes: { url: notes.mcp } })
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect notes' }).click())
  await expectConnected(page, 'notes')
  const run = await sayAndAllow(page, 'List notes')
  await expect(conversation(page)).toContainText('Buy paper tape')
  await say(page, 'List my repositories')
  await expect(conversation(page)).toContainText('octocat/')
  for (const secret of secretsIn([...notes.log, ...sandbox.github.log])) secrets.add(secret)
  // Two tokens, a code and a verifier of the MCP server, and at least a token of GitHub.
  expect(secrets.size).toBeGreaterThanOrEqual(5)
  await expectToBeHeard(hostile)

  await paste(page, { Notes: { url: hostile.mcp } })
  await expect(page.getByRole('alert')).toContainText('The name Notes is taken')
  expect(hostile.log).toEqual([])

  // The page lists them all the same, as after a change of its configuration.
  const listed = ['notes', 'github'].map((id) => ({ id, name: id, url: hostile.mcp }))
  await page.evaluate((list) => localStorage.setItem('demo:mcp-servers', JSON.stringify(list)), listed)
  await page.reload()
  await expect(card(page, 'notes')).toHaveAttribute('data-status', 'needs-reconnect')
  await expectConnected(page, 'github')
  const second = await say(page, 'List notes')
  await expect(prompt(page, 'notes')).toBeVisible()
  expect(carried(second)).not.toContain('notes')
  await say(page, 'List my repositories')
  await expect(conversation(page)).toContainText('octocat/')
  // A page that was open before sends what it has to the new list.
  for (const id of ['notes', 'github']) {
    await sendAgain(page, 'chat', { ...body(run), mcpServers: [{ id, name: id, url: hostile.mcp }] })
  }
  expect(holding(hostile.log, secrets)).toEqual([])

  // Connected there, it has a token of its own.
  await agree(page, () =>
    prompt(page, 'notes')
      .getByRole('button', { name: /connect notes/i })
      .click(),
  )
  await expectConnected(page, 'notes')
  await sayAndAllow(page, 'List tickets')
  await expect(conversation(page)).toContainText('T-12')
  expect(secretsIn(hostile.log).length).toBeGreaterThanOrEqual(3)
  expect(holding(hostile.log, secrets)).toEqual([])
})

test('case 219: after a restart at another issuer, the new one gets no secret of the old one @vault', async ({
  browser,
  custody,
}) => {
  // Three people, and the app starts twice.
  test.slow()
  const { google: before } = sandbox
  const { google: after } = moved
  // One person reconnects, one disconnects, and one has a page that stays open.
  const people = await Promise.all([1, 2, 3].map(async () => (await browser.newContext()).newPage()))
  const [reconnects, disconnects, stays] = people as [Page, Page, Page]
  const runs = new Map<Page, Request>()
  const refreshes = () => before.log.filter((one) => one.body.includes('grant_type=refresh_token')).length
  for (const page of people) {
    before.setAccessTtl(1)
    await visit(page)
    await connectGmail(page)
    // The token of the page that stays open is over at once, always. Those of the others live.
    if (page !== stays) before.setAccessTtl(3599)
    const so = refreshes()
    await expect
      .poll(async () => {
        runs.set(page, await say(page, 'Search my mail for invoices'))
        await expect(conversation(page)).toContainText('Invoice 2041')
        return refreshes()
      })
      .toBeGreaterThan(so)
  }
  await expectToBeHeard(after)

  const refreshed = stays.waitForResponse('**/api/latchkey/token', { timeout: 60_000 })
  refreshed.catch(() => {})
  await app.start({
    baseUrls: { ...app.settings.baseUrls, gmail: after.url },
    clients: { ...app.settings.clients, gmail: after.client },
  })
  for (const [page, run] of runs) await sendAgain(page, 'chat', body(run))
  if (custody === 'browser') await refreshed
  else await sendAgain(stays, 'round', {})
  await say(stays, 'Search my mail for invoices')
  await expect(prompt(stays, 'gmail')).toBeVisible()
  await disconnect(stays, 'Gmail')
  await expect(card(stays, 'gmail')).toHaveAttribute('data-status', 'disconnected')

  for (const page of [reconnects, disconnects]) {
    await page.reload()
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'needs-reconnect')
    const run = await say(page, 'Search my mail for invoices')
    await expect(prompt(page, 'gmail')).toBeVisible()
    expect(carried(run)).not.toContain('gmail')
  }
  await disconnect(disconnects, 'Gmail')
  await expect(card(disconnects, 'gmail')).toHaveAttribute('data-status', 'disconnected')
  // Nothing that looks like a secret at all, so also none that the old one was never shown.
  expect(secretsIn(after.log)).toEqual([])

  const connect = prompt(reconnects, 'gmail').getByRole('button', { name: /connect gmail/i })
  await throughPopup(reconnects, () => connect.click(), 'Ada Lovelace')
  await expectConnected(reconnects, 'gmail')
  await say(reconnects, 'Search my mail for invoices')
  await expect(conversation(reconnects)).toContainText('Invoice 2041')
  // The new one got a code, a verifier and tokens of its own.
  expect(new Set(secretsIn(after.log)).size).toBeGreaterThanOrEqual(3)
  // Of each person it was a code, a verifier, a refresh token and two access tokens.
  const secrets = new Set(secretsIn(before.log))
  expect(secrets.size).toBeGreaterThanOrEqual(15)
  expect(holding(after.log, secrets)).toEqual([])
  await Promise.all(people.map((page) => page.context().close()))
})

test('case 223: a pasted header reference: the question says who gets which account, and the server gets none @vault', async ({
  page,
}) => {
  const { tickets: hostile, ledger: listed } = mcp
  await app.start({ headerOrigins: { github: [listed.url] } })
  await visit(page)
  await connectGitHub(page)
  await say(page, 'List my repositories')
  await expect(conversation(page)).toContainText('octocat/')
  const secrets = new Set(secretsIn(sandbox.github.log))
  expect(secrets.size).toBeGreaterThanOrEqual(3)
  await expectToBeHeard(hostile)
  const pasted = (url: string) => ({ cats: { url, headers: { 'X-Cat': `\${GITHUB_TOKEN}` } } })

  await paste(page, pasted(hostile.mcp))
  const question = page.getByRole('group', { name: 'Add this server?' })
  await expect(question).toContainText(`${new URL(hostile.url).host} will get access to your GitHub account.`)
  expect(hostile.log).toEqual([])
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(question).toHaveCount(0)

  // What an app does that hands it to its agent, with the accounts that the page sends.
  const { identities, connectedAccounts } = body(await say(page, 'List my repositories'))
  const handed = (url: string) =>
    sendAgain(page, 'agent', { identities, connectedAccounts, servers: pasted(url) }).then((answer) => answer.json())
  expect(await handed(hostile.mcp)).toMatchObject({ error: 'access_denied' })
  expect(holding(hostile.log, secrets)).toEqual([])

  // A server that the app lists gets it: the accounts are there, and the request would have arrived.
  listed.log.length = 0
  expect(await handed(listed.mcp)).toEqual({ asked: ['cats'] })
  expect(holding(listed.log, secrets)).toEqual(['POST /mcp'])
})
