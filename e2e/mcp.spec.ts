import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import {
  agree,
  allow,
  card,
  conversation,
  expect,
  expectConnected,
  open,
  panel,
  say,
  sayAndAllow,
  test,
  throughPopup,
} from './demo.ts'

const servers = { notes: '', tickets: '', files: '', ledger: '', archive: '', kaggle: '', better: '', shelf: '' }
test.beforeAll(({ demo }) => {
  const { 'kaggle-mcp': kaggle, ...named } = demo.addresses.mcp
  Object.assign(servers, named, { kaggle })
  expect(Object.values(servers)).not.toContain('')
})
/** Servers that need a client that was registered in advance. */
const clients: Record<string, string> = { files: 'files-app', shelf: 'shelf-app' }

const backDoor = (server: keyof typeof servers, path: string) =>
  fetch(`${servers[server]}/__sandbox/${path}`, { method: 'POST', body: '{}' })

test.beforeEach(async () => {
  for (const server of Object.keys(servers) as (keyof typeof servers)[]) await backDoor(server, 'reset')
})

const json = (names: (keyof typeof servers)[], called?: string) =>
  JSON.stringify({
    mcpServers: Object.fromEntries(
      names.map((name) => [
        called ?? name,
        { url: `${servers[name]}/mcp`, ...(clients[name] && { auth: { type: 'oauth2', clientId: clients[name] } }) },
      ]),
    ),
  })

/** Opens the dialog, and has this JSON asked about. */
async function enter(page: Page, text: string) {
  await page.getByRole('button', { name: 'Add server' }).click()
  await page.getByRole('button', { name: 'Paste JSON instead' }).click()
  await page.getByRole('textbox', { name: 'mcpServers JSON' }).fill(text)
  await page.getByRole('button', { name: 'Continue' }).click()
}

/** Pastes the JSON, with another name for one server if given. */
async function add(page: Page, names: (keyof typeof servers)[], called?: string) {
  await enter(page, json(names, called))
  // Every host is shown before any request.
  for (const name of names) await expect(page.getByText(new URL(servers[name]).host, { exact: true })).toBeVisible()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  for (const name of names) await expect(card(page, called ?? name)).toBeVisible()
}

const prompt = (page: Page, name: string) => conversation(page).locator(`.latchkey-prompt[data-provider="${name}"]`)

test('three MCP servers, connected in three ways: calls, more scopes, reload and revocation', async ({ page }) => {
  await open(page)
  await add(page, ['notes', 'files', 'ledger'])

  // From the card: with a client ID metadata document, and with a client registered in advance.
  for (const name of ['notes', 'files']) {
    await agree(page, () =>
      panel(page)
        .getByRole('button', { name: `Connect ${name}` })
        .click(),
    )
  }
  await expectConnected(page, 'notes', 'files')
  await sayAndAllow(page, 'List notes')
  await expect(conversation(page)).toContainText('Buy paper tape')
  await sayAndAllow(page, 'List files')
  await expect(conversation(page)).toContainText('bernoulli.csv')

  // From the chat: the app registers itself, and the call continues.
  await say(page, 'Read the ledger')
  await agree(page, () => prompt(page, 'ledger').getByRole('button', { name: 'Connect ledger' }).click())
  await expectConnected(page, 'ledger')
  await allow(conversation(page))
  await expect(conversation(page)).toContainText('1843: 12 pounds')
  await page.getByText('Developer', { exact: true }).click()
  for (const words of ['Client metadata document', 'Pre-registered', 'Automatic']) {
    await expect(page.getByText(words)).toBeVisible()
  }

  // More scope, asked for in the chat.
  await sayAndAllow(page, 'Add entry')
  await expect(prompt(page, 'ledger').last()).toContainText('mcp:write')
  await agree(page, () =>
    prompt(page, 'ledger').last().getByRole('button', { name: 'Grant access to Sandbox Ledger' }).click(),
  )
  await expect(conversation(page)).toContainText('was added')

  // After a reload: no window, no prompt.
  await page.reload()
  await expectConnected(page, 'notes', 'files', 'ledger')
  let popups = 0
  page.on('popup', () => {
    popups += 1
  })
  await say(page, 'List notes')
  await expect(conversation(page)).toContainText('Buy paper tape')
  await say(page, 'Add entry')
  await expect(conversation(page)).toContainText('was added')
  expect(popups).toBe(0)

  // Revoked at the server: chat and card say so, the others stay.
  await backDoor('notes', 'revoke-all')
  await say(page, 'List notes')
  await expect(prompt(page, 'notes')).toContainText('Connect Sandbox Notes to use the tools of Sandbox Notes')
  await expect(card(page, 'notes')).toHaveAttribute('data-status', 'needs-reconnect')
  await expectConnected(page, 'files', 'ledger')
})

test('a server that forbids browsers is connected through the broker', async ({ page }) => {
  await open(page)
  await add(page, ['archive'])
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect archive' }).click())
  await expectConnected(page, 'archive')
  await sayAndAllow(page, 'Search archive')
  await expect(conversation(page)).toContainText('10 July 1843')
})

test('the same with another authorization server: better-auth', async ({ page }) => {
  await open(page)
  await add(page, ['better', 'shelf'])

  // From the card: with a client registered in advance, the only kind that this server takes.
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect shelf' }).click())
  await expectConnected(page, 'shelf')
  await sayAndAllow(page, 'List books')
  await expect(conversation(page)).toContainText('Sketch of the Analytical Engine')

  // From the chat: the app registers itself.
  await say(page, 'Use better')
  await agree(page, () => prompt(page, 'better').getByRole('button', { name: 'Connect better' }).click())
  await expectConnected(page, 'better')
  await sayAndAllow(page, 'Recall notes')
  await expect(conversation(page)).toContainText('Behind better-auth')
  await page.getByText('Developer', { exact: true }).click()
  for (const words of ['Pre-registered', 'Automatic']) await expect(page.getByText(words)).toBeVisible()

  // More scope, asked for in the chat.
  await sayAndAllow(page, 'Write note')
  await expect(prompt(page, 'better').last()).toContainText('mcp:write')
  await agree(page, () =>
    prompt(page, 'better').last().getByRole('button', { name: 'Grant access to Better Notes' }).click(),
  )
  await expect(conversation(page)).toContainText('A note was written')

  // After a reload: no window, no prompt.
  await page.reload()
  await expectConnected(page, 'better', 'shelf')
  let popups = 0
  page.on('popup', () => {
    popups += 1
  })
  await say(page, 'Recall notes')
  await expect(conversation(page)).toContainText('Behind better-auth')
  await say(page, 'Write note')
  await expect(conversation(page)).toContainText('A note was written')
  await say(page, 'List books')
  await expect(conversation(page)).toContainText('Sketch of the Analytical Engine')
  expect(popups).toBe(0)

  // Revoked at the server: chat and card say so, the other stays.
  await backDoor('better', 'revoke-all')
  await say(page, 'Recall better notes')
  await expect(prompt(page, 'better')).toContainText('Connect Better Notes to use the tools of Better Notes')
  await expect(card(page, 'better')).toHaveAttribute('data-status', 'needs-reconnect')
  await expectConnected(page, 'shelf')
})

for (const { form, name, id, tool, page: words, answer } of [
  {
    form: 'in its result (2026-07-28)',
    name: 'kaggle-mcp',
    id: 'kaggle',
    tool: 'Join competition',
    page: 'Accept the rules',
    answer: 'You are in: Titanic.',
  },
  {
    form: 'with the error -32042 (2025-11-25)',
    name: 'tickets',
    id: 'tickets',
    tool: 'Print tickets',
    page: 'Allow this printer',
    answer: 'One page was printed.',
  },
] as const) {
  test(`a server that asks for a page ${form}: its host is shown, and the call goes on after the visit`, async ({
    page,
  }) => {
    const { host } = new URL(servers[id])
    await open(page)
    await add(page, [id], name)
    await agree(page, () =>
      panel(page)
        .getByRole('button', { name: `Connect ${name}` })
        .click(),
    )
    await expectConnected(page, name)

    const windows: string[] = []
    page.context().on('page', (opened) => windows.push(opened.url()))
    await sayAndAllow(page, tool)
    const asked = prompt(page, name).last()
    await expect(asked).toContainText(host)
    const link = asked.getByRole('link', { name: host })
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer')
    // Nothing opens and nothing continues before a click.
    expect(windows).toEqual([])
    await expect(conversation(page)).not.toContainText(answer)

    // "I'm done" without a visit: the server checks, and asks again.
    const [request] = await Promise.all([
      page.waitForRequest((one) => one.url().endsWith('/api/chat')),
      asked.getByRole('button', { name: /done/i }).click(),
    ])
    await (await request.response())?.finished()
    await expect(prompt(page, name).last().getByRole('button', { name: /done/i })).toBeVisible()
    await expect(conversation(page)).not.toContainText(answer)

    const [popup] = await Promise.all([page.waitForEvent('popup'), prompt(page, name).last().getByRole('link').click()])
    await expect(popup.getByRole('heading', { name: words })).toBeVisible()
    expect(await popup.evaluate(() => window.opener)).toBeNull()
    await popup.getByRole('button', { name: 'I agree' }).click()
    await expect(popup.getByRole('heading', { name: 'Done' })).toBeVisible()
    await popup.close()
    await prompt(page, name).last().getByRole('button', { name: /done/i }).click()
    await expect(conversation(page)).toContainText(answer)
  })
}

test("a program beside the agent runs with the person's account, and asks for it if it is missing", async ({
  page,
}) => {
  await open(page)
  await say(page, 'Survey projects')
  await expect(conversation(page).getByRole('article', { name: 'Assistant' })).toContainText(/\w/)
  // Until an account is connected, only the program's name is known.
  await say(page, 'Use the projects')
  const asked = conversation(page).locator('.latchkey-prompt[data-provider="github"]').last()
  await throughPopup(page, () => asked.getByRole('button', { name: 'Connect GitHub' }).click(), 'The Octocat')
  await expectConnected(page, 'github')
  await say(page, 'Survey projects')
  await expect(conversation(page)).toContainText('projects says:')
  await expect(conversation(page)).toContainText('octocat/')
})

test('a page that names a command is refused', async ({ page }) => {
  await open(page)
  const status = await page.evaluate(async () => {
    const message = { id: '1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }
    const server = { id: 'evil', name: 'evil', url: 'https://mcp.example/', command: 'touch', args: ['/tmp/evil'] }
    const response = await fetch('/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'chat', messages: [message], mcpServers: [server] }),
    })
    return response.status
  })
  expect(status).toBe(400)
})

const notesUrl = () => `${servers.notes}/mcp`

test("M10: a server's card has its own name, its host, who signed in, and its tools", async ({ page }) => {
  await open(page)
  await add(page, ['notes'])
  const { host } = new URL(servers.notes)
  await expect(card(page, 'notes').getByRole('heading', { name: 'notes' })).toBeVisible()
  await expect(card(page, 'notes')).toContainText(host)
  await expect(card(page, 'notes')).toContainText('MCP')
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect notes' }).click())
  await expect(card(page, 'notes').getByRole('heading', { name: 'Sandbox Notes' })).toBeVisible()
  await expect(card(page, 'notes')).toContainText(`Signed in ${host} · 1 tool`)
  await expect(card(page, 'notes')).not.toContainText('mcp:read')
  await card(page, 'notes').getByRole('button', { name: 'Sandbox Notes', exact: true }).click()
  await expect(page.getByText('List notes')).toBeVisible()
  await page.keyboard.press('Escape')
  // After a reload it is known at once, without another request.
  await page.reload()
  await expect(card(page, 'notes').getByRole('heading', { name: 'Sandbox Notes' })).toBeVisible()
  await expect(card(page, 'notes')).toContainText('1 tool')
  // Nothing of the token is in the page.
  const held = await page.evaluate(() => document.documentElement.outerHTML + JSON.stringify({ ...localStorage }))
  expect(held).not.toContain('access_token')
})

test('M9: the same URL again leads to the card that is there', async ({ page }) => {
  await open(page)
  await add(page, ['notes'])
  await page.getByRole('button', { name: 'Add server' }).click()
  const field = page.getByRole('textbox', { name: 'Server URL' })
  await expect(field).toBeFocused()
  await field.fill(`${notesUrl().replace('http://', 'HTTP://')}/`)
  await page.keyboard.press('Enter')
  await expect(page.getByText('This server is already in the list.').first()).toBeVisible()
  await expect(card(page, 'notes').getByRole('heading')).toBeFocused()
  await expect(panel(page).locator('[data-provider]').and(page.getByRole('article'))).toHaveCount(4)
})

test('M9: a server is removed with its account and its registration, and stays away', async ({ page }) => {
  await open(page)
  await add(page, ['tickets'])
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect tickets' }).click())
  await expect(card(page, 'tickets')).toContainText('2 tools')
  await panel(page).getByRole('button', { name: 'More options for Sandbox Tickets' }).click()
  await page.getByRole('menuitem', { name: 'Remove server Sandbox Tickets' }).click()
  const dialog = page.getByRole('dialog', { name: 'Remove Sandbox Tickets?' })
  await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused()
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
  await expect(card(page, 'tickets')).toHaveCount(0)
  await page.getByText('Developer', { exact: true }).click()
  await expect(page.getByText('No registrations')).toBeVisible()
  await page.reload()
  await expect(card(page, 'github')).toBeVisible()
  await expect(card(page, 'tickets')).toHaveCount(0)
})

test('M9: offline too: the server goes, and the revocation is kept and finished later', async ({ page, context }) => {
  await open(page)
  await add(page, ['tickets'])
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect tickets' }).click())
  await expect(card(page, 'tickets')).toContainText('2 tools')
  await panel(page).getByRole('button', { name: 'More options for Sandbox Tickets' }).click()
  await page.getByRole('menuitem', { name: 'Remove server Sandbox Tickets' }).hover()
  await page.route(`${servers.tickets}/**`, (route) => route.abort())
  await page.route('**/api/latchkey/mcp', (route) => route.abort())
  await page.getByRole('menuitem', { name: 'Remove server Sandbox Tickets' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
  await expect(dialog).toContainText('will be revoked as soon as')
  await dialog.getByRole('button', { name: 'Done' }).click()
  await expect(card(page, 'tickets')).toHaveCount(0)
  await page.unrouteAll()
  const told = page.waitForRequest((request) => request.url().startsWith(servers.tickets) && /revo/.test(request.url()))
  await page.reload()
  await told
  await page.getByText('Developer', { exact: true }).click()
  await expect(page.getByText('No registrations')).toBeVisible()
  await context.close()
})

test('M9: a server that cannot be reached, and one that is no MCP server, say what to do and can be removed', async ({
  page,
}) => {
  await open(page)
  const away = 'http://127.0.0.1:9/mcp'
  const wrong = new URL('/nothing-here', page.url()).href
  await enter(page, JSON.stringify({ away: { url: away }, wrong: { url: wrong } }))
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  for (const [name, sentence] of [
    ['away', "away couldn't be reached. Check its address, or try again later."],
    ['wrong', "There's no MCP server at this address."],
  ] as const) {
    await panel(page)
      .getByRole('button', { name: `Connect ${name}` })
      .click()
    await expect(card(page, name)).toContainText(sentence)
    await panel(page)
      .getByRole('button', { name: `More options for ${name}` })
      .click()
    await page.getByRole('menuitem', { name: `Remove server ${name}` }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await expect(card(page, name)).toHaveCount(0)
  }
})

test('M11: axe finds nothing in a chat that carries MCP servers, names of buttons included', async ({ page }) => {
  await open(page)
  await add(page, ['notes'])
  await agree(page, () => panel(page).getByRole('button', { name: 'Connect notes' }).click())
  await expect(card(page, 'notes')).toContainText('1 tool')
  const rules = { 'label-content-name-mismatch': { enabled: true } }
  const { violations } = await new AxeBuilder({ page }).options({ rules, resultTypes: ['violations'] }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
})
