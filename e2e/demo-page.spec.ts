// The demo as a page: how it begins, how its chat asks for accounts, and how its panel is ordered.
import type { Page } from '@playwright/test'
import {
  addresses,
  backDoor,
  card,
  configuration,
  connectGitHub,
  connectGmail,
  conversation,
  disconnect,
  expect,
  expectConnected,
  open,
  panel,
  say,
  test,
  throughPopup,
} from './demo.ts'

const box = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const chips = (page: Page) => page.getByRole('region', { name: 'Chat' }).locator('.chip')
/** What the chat asks for. */
const asked = (page: Page) => conversation(page).locator('.account-needed')

test('m15: the page is drawn before the server answers, says when it never does, and starts with a second try', async ({
  page,
}) => {
  const warned: string[] = []
  page.on('console', (message) => warned.push(message.text()))
  page.on('pageerror', (error) => warned.push(error.message))
  let answers = false
  await page.route('**/api/config', (route) => (answers ? route.continue() : undefined))
  await page.goto('/')
  await expect(page.getByRole('heading', { name: 'Ask about your work' })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'Connected Accounts' })).toBeVisible()
  await expect(page.getByRole('list', { name: 'Agents' })).toContainText('Loading…')
  await expect(box(page)).toBeDisabled()
  await expect(chips(page).first()).toBeDisabled()
  await expect(page.getByRole('region', { name: 'Agent configuration' })).toHaveAttribute('aria-busy', 'true')

  const alert = page.getByRole('alert')
  await expect(alert).toContainText("This app's server couldn't be reached.")
  expect(warned.filter((text) => !text.includes('React DevTools'))).toEqual([])
  answers = true
  await alert.getByRole('button', { name: 'Try again' }).click()
  await expect(panel(page).getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  await expect(alert).toBeHidden()
  await expect(box(page)).toBeEnabled()
})

test('m15: a server that fails is not waited for', async ({ page }) => {
  await page.route('**/api/config', (route) => route.fulfill({ status: 503 }))
  await page.goto('/')
  await expect(page.getByRole('alert')).toContainText("This app's server couldn't be reached.", { timeout: 5_000 })
  // A try that fails again keeps the button, and its focus.
  const again = page.getByRole('button', { name: 'Try again' })
  await again.click()
  await expect(again).toBeFocused()
})

test('M15: three suggestions while the chat is empty, and none after that', async ({ page }) => {
  await open(page)
  await expect(chips(page)).toHaveText(['List my repositories', 'Search my mail for invoices', 'List my datasets'])
  await chips(page).first().click()
  await expect(asked(page)).toBeVisible()
  await expect(chips(page)).toHaveCount(0)
  await expect(box(page)).toBeFocused()
})

test('M15: a key form that opens in the chat is in view with all of its buttons', async ({ page }) => {
  for (const size of [
    { width: 1440, height: 700 },
    { width: 390, height: 740 },
  ]) {
    await page.setViewportSize(size)
    await page.goto('/')
    // What the first size asked for is there again.
    const again = page.getByRole('button', { name: 'New chat' })
    if (await again.isVisible()) await again.click()
    for (const text of ['List my repositories', 'Search my mail for invoices', 'List my datasets']) {
      await say(page, text)
      await expect(conversation(page).getByRole('article', { name: 'Assistant' }).last()).toContainText('Not now')
    }
    await conversation(page).getByRole('button', { name: 'Connect Kaggle' }).click()
    await expect(page.getByLabel('Kaggle API key')).toBeFocused()
    await expect(conversation(page).getByRole('form')).toBeInViewport({ ratio: 1 })
  }
})

test('M13: a tool row says whose account it used after that is disconnected', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await say(page, 'List my repositories')
  const row = conversation(page).locator('.tool')
  await expect(row).toContainText('as octocat')
  await disconnect(page, 'GitHub')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  await expect(row).toContainText('as octocat')
})

test('m17: the dot of a tool call stays where the system chooses the colours', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await say(page, 'List my repositories')
  const state = conversation(page).locator('.tool-state')
  await expect(state).toHaveAttribute('data-state', 'output-available')
  await page.emulateMedia({ forcedColors: 'active' })
  // The system takes backgrounds away, and draws borders in its text colour.
  const [dot, width, text, behind] = await state.evaluate((element) => [
    getComputedStyle(element, '::before').borderTopColor,
    getComputedStyle(element, '::before').borderTopWidth,
    getComputedStyle(element).color,
    getComputedStyle(document.body).backgroundColor,
  ])
  expect(dot).toBe(text)
  expect(dot).not.toBe(behind)
  expect(width).not.toBe('0px')
})

test('m12: a missing account is asked for once, in the words of the tool, and becomes a line', async ({ page }) => {
  await open(page)
  // The program's tools are known once an account was connected, here or in a test before.
  await say(page, 'Survey projects and list my repositories, use the projects')
  const answer = conversation(page).getByRole('article', { name: 'Assistant' })
  await expect(answer.locator('.tool')).toHaveCount(2)
  await expect(asked(page)).toHaveCount(1)
  await expect(asked(page)).toContainText(
    /Connect GitHub to list repositories and (use the tools of projects|survey projects)/,
  )
  await expect(answer).not.toContainText('_')
  await expect(answer.locator('.prose')).toHaveCount(0)

  // Put off, and asked for again.
  await asked(page).getByRole('button', { name: 'Not now: GitHub' }).click()
  await expect(asked(page)).toContainText('You put off connecting GitHub.')
  await expect(conversation(page).getByRole('button', { name: 'Connect GitHub' })).toBeHidden()
  await expect(asked(page).getByRole('button', { name: 'Undo' })).toBeFocused()
  await page.keyboard.press('Enter')

  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await expect(conversation(page)).toContainText('octocat/')
  await expect(asked(page)).toHaveCount(0)
  await expect(conversation(page).getByText('✓ Connected GitHub as octocat')).toHaveCount(1)
})

test('m12: the prompt says why an account that was connected is asked for', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await backDoor('github', 'reset', {})
  await say(page, 'List my repositories')
  await expect(asked(page)).toContainText('Connect GitHub to list repositories')
  await expect(asked(page).locator('.later')).toContainText('Access was revoked')
})

test('m12: a call that needs more of an account than it has says so', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await say(page, 'List my private repositories')
  const state = conversation(page).locator('.tool-state')
  await expect(state).toHaveText('Needs more access')
  await disconnect(page, 'GitHub')
  await expect(state).toHaveText('Needs an account')
})

test('m12: the data processor is named in words, and its SPIFFE IDs are in the details', async ({ page }) => {
  await open(page)
  await say(page, 'Ask the data processor to summarize the orders')
  await expect(conversation(page)).toContainText('The assistant asked the data processor to summarize')
  const row = conversation(page).locator('.tool')
  await expect(row).toContainText('as assistant')
  await expect(conversation(page)).not.toContainText('spiffe://')
  await row.locator('summary').click()
  await expect(row).toContainText('spiffe://demo.example/agents/data-processor')
})

test('m13: with text of twice the size the demo grows, and nothing overlaps at 390 px', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto('/')
  await say(page, 'List my repositories')
  await expect(asked(page)).toBeVisible()
  await box(page).fill('one line\nand another')
  const sizes = () =>
    page.evaluate(() =>
      Object.fromEntries(
        ['.bar h1', '.bar .button', '.tool-title', '.tool-state', '.text-button', '.entry textarea'].map((selector) => {
          const node = document.querySelector(selector) as HTMLElement
          const { fontSize, lineHeight } = getComputedStyle(node)
          return [selector, { font: Number.parseFloat(fontSize), line: Number.parseFloat(lineHeight) }]
        }),
      ),
    )
  const before = await sizes()
  await page.addStyleTag({ content: ':root { font-size: 200% }' })
  const after = await sizes()
  for (const [selector, { font, line }] of Object.entries(after)) {
    expect(font, selector).toBeCloseTo((before[selector]?.font ?? 0) * 2, 1)
    expect(line, selector).toBeGreaterThanOrEqual(font)
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  for (const name of ['Agent configuration', 'Send']) {
    await expect(page.getByRole('button', { name })).toBeInViewport({ ratio: 1 })
  }
})

test('m16: the accounts menu ends with its button, inside of the message box and of a narrow window', async ({
  page,
}) => {
  const opener = page.getByRole('button', { name: /^Accounts/ })
  const list = page.locator('.latchkey-accounts-list')
  const boxes = async () => {
    await opener.click()
    await expect(list).toBeVisible()
    // Once its opening is over.
    await list.evaluate((node) => Promise.all(node.getAnimations().map(({ finished }) => finished)))
    const [menu, button, entry] = await Promise.all(
      [list, opener, page.locator('.entry')].map((one) =>
        one.evaluate((node) => node.getBoundingClientRect().toJSON()),
      ),
    )
    await page.keyboard.press('Escape')
    await expect(list).toBeHidden()
    return { menu, button, entry } as Record<'menu' | 'button' | 'entry', DOMRect>
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  await open(page)
  const wide = await boxes()
  expect(wide.menu.right).toBeCloseTo(wide.button.right, 0)
  expect(wide.menu.left).toBeGreaterThanOrEqual(wide.entry.left)
  await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'))
  const mirrored = await boxes()
  expect(mirrored.menu.left).toBeCloseTo(mirrored.button.left, 0)
  expect(mirrored.menu.right).toBeLessThanOrEqual(mirrored.entry.right)
  await page.evaluate(() => document.documentElement.removeAttribute('dir'))
  await page.setViewportSize({ width: 320, height: 640 })
  const narrow = await boxes()
  expect(narrow.menu.left).toBeGreaterThanOrEqual(8)
  expect(narrow.menu.right).toBeLessThanOrEqual(312)
})

test('m10: the panel is in order, and a connected account has the switch that says whether the agent uses it', async ({
  page,
}) => {
  await open(page)
  const heads = configuration(page).getByRole('heading', { level: 2 })
  await expect(heads).toHaveText([
    'Agents',
    'Connected Accounts',
    'What it may do',
    'Waiting for you',
    'Activity',
    'MCP servers',
    'Developer',
  ])
  await expect(configuration(page).getByRole('switch')).toHaveCount(0)
  await connectGmail(page)
  await connectGitHub(page)
  await expect(configuration(page).getByRole('switch')).toHaveCount(2)
  await configuration(page).getByRole('switch', { name: 'Use GitHub in chat' }).uncheck()
  await expect(page.getByRole('button', { name: 'Accounts in use: Gmail' })).toBeVisible()

  await say(page, 'List my repositories')
  await expect(conversation(page)).toContainText('GitHub is turned off for this agent.')
  await conversation(page).getByRole('button', { name: 'Turn on GitHub' }).click()
  await expect(conversation(page)).toContainText('octocat/')
  await expect(configuration(page).getByRole('switch', { name: 'Use GitHub in chat' })).toBeChecked()

  // Every head of a section looks the same.
  const looks = await heads.evaluateAll((nodes) =>
    nodes.map((node) => `${getComputedStyle(node).fontSize} ${getComputedStyle(node).fontWeight}`),
  )
  expect(new Set(looks)).toEqual(new Set(['15px 600']))
})

const agents = (page: Page) => configuration(page).getByRole('list', { name: 'Agents' }).getByRole('listitem')

test('the address of an only mailbox is whole in its card, at any width', async ({ page }) => {
  await open(page)
  await connectGmail(page)
  const said = card(page, 'gmail').locator('.latchkey-line .latchkey-status')
  await expect(card(page, 'gmail').locator('.latchkey-aside')).toBeVisible()
  await expect(said).toHaveText('Connected as ada@example.com')
  const cut = () => said.evaluate((node) => node.scrollWidth - node.clientWidth)
  expect(await cut()).toBeLessThanOrEqual(0)
  await page.setViewportSize({ width: 320, height: 740 })
  await page.getByRole('button', { name: 'Agent configuration' }).click()
  await expect(said).toBeVisible()
  expect(await cut()).toBeLessThanOrEqual(0)
})

test('all agents are named with what each may do', async ({ page }) => {
  await open(page)
  await expect(agents(page)).toHaveText([/^Assistant.*Has no account yet$/, /^Mail helper.*Has no account yet$/])
  await connectGitHub(page)
  await expect(agents(page)).toHaveText([/Ask before changes: octocat$/, /Has no account yet$/])
  await configuration(page).getByRole('button', { name: 'Edit: octocat' }).click()
  await configuration(page).getByRole('button', { name: 'Details: octocat' }).click()
  await configuration(page).getByRole('radiogroup', { name: 'Open an issue' }).getByText('Never').click()
  await expect(agents(page).first()).toContainText('Ask before changes: octocat · 1 exception')
  await configuration(page).getByRole('switch', { name: 'Use GitHub in chat' }).uncheck()
  // The same word as in the list below.
  await expect(agents(page).first()).toContainText('Not used in chat: octocat')
  await expect(configuration(page).locator('.latchkey-access')).toContainText('Not used in chat · Ask before changes')
  await page.getByRole('button', { name: 'Stop everything' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click()
  await expect(agents(page)).toHaveText([/Stopped$/, /Stopped$/])
})

test('the chosen agent has no switch for an account that it is never given', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await connectGmail(page)
  await configuration(page).getByRole('radio', { name: 'Mail helper' }).check()
  await expect(page.getByRole('group', { name: 'Talk to' }).getByRole('radio', { name: 'Mail helper' })).toBeChecked()
  await expect(agents(page).last()).toContainText('Ask before changes: ada@example.com')
  await expect(configuration(page).getByRole('switch')).toHaveCount(1)
  await expect(card(page, 'github').getByRole('switch')).toHaveCount(0)
  await expect(page.getByRole('button', { name: 'Accounts in use: Gmail', exact: true })).toBeVisible()
})

test('where the panel takes the place of the chat, Escape and a button of its own lead back', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 })
  await page.goto('/')
  const opener = page.getByRole('button', { name: 'Agent configuration' })
  const back = page.getByRole('button', { name: 'Back to chat' })
  await opener.click()
  await expect(panel(page)).toBeVisible()
  await expect(back).toBeInViewport({ ratio: 1 })
  await page.keyboard.press('Escape')
  await expect(configuration(page)).toBeHidden()
  await expect(opener).toBeFocused()

  // What is open in it is closed first.
  await opener.click()
  await panel(page).getByRole('button', { name: 'Connect Kaggle' }).click()
  await expect(page.getByLabel('Kaggle API key')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(page.getByLabel('Kaggle API key')).toBeHidden()
  await expect(configuration(page)).toBeVisible()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
  await back.click()
  await expect(configuration(page)).toBeHidden()
  await expect(opener).toBeFocused()
  await page.setViewportSize({ width: 1280, height: 740 })
  await expect(configuration(page)).toBeVisible()
  await expect(back).toBeHidden()
})

test('a reload keeps the chosen agent and what was said to each, and New chat begins anew with one of them', async ({
  page,
}) => {
  await open(page)
  await connectGmail(page)
  const group = page.getByRole('group', { name: 'Talk to' })
  const talkTo = async (agent: string) => {
    await group.getByText(agent).click()
    await expect(group.getByRole('radio', { name: agent })).toBeFocused()
  }
  await say(page, 'Search my mail for invoices')
  await expect(conversation(page)).toContainText('Invoice 2041')
  await talkTo('Mail helper')
  await say(page, 'List my drafts')
  await expect(conversation(page)).toContainText('Re: Lunch next week?')
  // An answer that a reload cuts is another test's.
  await expect(conversation(page)).toHaveAttribute('aria-busy', 'false')

  await page.reload()
  await expect(conversation(page)).toContainText('Re: Lunch next week?')
  await talkTo('Assistant')
  await expect(conversation(page)).toContainText('Invoice 2041')
  await page.getByRole('button', { name: 'New chat' }).click()
  await expect(conversation(page)).not.toContainText('Invoice')
  await expect(box(page)).toBeFocused()
  await talkTo('Mail helper')
  await expect(conversation(page)).toContainText('Re: Lunch next week?')
  await talkTo('Assistant')
  await page.reload()
  await expect(conversation(page)).toContainText('Ask about your work')
})

test('an MCP server to try is added with one click and the usual question, and what was typed stays', async ({
  page,
}) => {
  await open(page)
  await page.getByRole('button', { name: 'Add server' }).click()
  const field = page.getByRole('textbox', { name: 'Server URL' })
  await field.fill('https://mine.example/mcp')
  await page.getByRole('button', { name: 'notes', exact: true }).click()
  const question = page.getByRole('group', { name: 'Add this server?' })
  await expect(question).toContainText(new URL(addresses.mcp.notes ?? '').host)
  await question.getByRole('button', { name: 'Back' }).click()
  await expect(field).toBeFocused()
  await expect(field).toHaveValue('https://mine.example/mcp')

  await page.getByRole('button', { name: 'notes', exact: true }).click()
  await question.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(card(page, 'notes')).toBeVisible()
  await page.getByRole('button', { name: 'Add server' }).click()
  await expect(field).toBeVisible()
  await expect(page.getByRole('dialog').getByRole('button', { name: 'notes', exact: true })).toHaveCount(0)
})

test("a key is made on the stand-in's own page, which Get API Key opens, and connects", async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await open(page)
  await panel(page).getByRole('button', { name: 'Connect Kaggle' }).click()
  const opened = context.waitForEvent('page')
  await panel(page).getByRole('link', { name: 'Get API Key' }).click()
  const settings = await opened
  await settings.getByRole('button', { name: 'Create New Token' }).click()
  await settings.getByRole('button', { name: 'Copy' }).click()
  await expect(settings.getByRole('status')).toHaveText('Copied. Paste it into the app.')
  await settings.close()
  await page.getByLabel('Kaggle API key').focus()
  await page.keyboard.press('ControlOrMeta+v')
  await page.keyboard.press('Enter')
  await expectConnected(page, 'kaggle')
})
