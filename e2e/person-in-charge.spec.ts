// What a person sees, limits, approves and stops, from the first message to the last word.
import type { Page } from '@playwright/test'
import {
  allow,
  backDoor,
  configuration,
  connectGmail,
  conversation,
  expect,
  expectConnected,
  lastTool,
  open,
  panel,
  say,
  test,
  throughPopup,
  unfold,
  unheardOf,
  waiting,
} from './demo.ts'

const HOUR = 3_600_000

interface Issue {
  title: string
  body: string
}

/** The issues that were opened under one of these titles. */
const issues = async (...titles: string[]) =>
  (await backDoor<Issue[]>('github', 'issues')).filter(({ title }) => titles.includes(title))

const ask = (page: Page, title: string) =>
  say(page, `Open an issue in octocat/hello-world titled ${title} saying Hello`)

const opened = (page: Page, title: string) =>
  expect(
    conversation(page).getByText(new RegExp(`I opened issue #\\d+ in octocat/hello-world, “${title}”`)),
  ).toHaveCount(1)

/** What the person reads in Activity, opened anew. */
const activity = async (page: Page) => (await unfold(page, 'Activity')).getByRole('listitem')

test('a person connects, is asked, edits, remembers and ends it, and a second agent is refused', {
  tag: '@store',
}, async ({ page }) => {
  const [edited, remembered, again] = [unheardOf('Edited'), unheardOf('Remembered'), unheardOf('Again')]
  const access = configuration(page).locator('.latchkey-access')

  await test.step('nothing is connected: the first call asks for the account, and goes on by itself, once', async () => {
    await open(page)
    await expect(access).toContainText('Not connected · Ask before changes')
    await say(page, 'List my private repositories')
    const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
    await throughPopup(page, () => connect.click(), 'The Octocat')
    await expect(conversation(page)).toContainText('octocat/harbour-notes (private)')
    await expect(lastTool(page)).toContainText('as octocat')
    const log = await backDoor<{ path: string; search: string; status: number }[]>('github', 'log')
    const calls = log.filter(({ path, search }) => path === '/api/v3/user/repos' && search.includes('private'))
    expect(calls.map(({ status }) => status)).toEqual([200])
    await expect(access).toContainText('Ask before changes')
  })

  await test.step('a change asks first, is edited, allowed, and made once', async () => {
    const asked = unheardOf('Asked')
    await ask(page, asked)
    await expect(waiting(conversation(page))).toContainText('Assistant wants to use GitHub')
    await expect(waiting(conversation(page))).toContainText('As octocat')
    await expect(waiting(conversation(page))).toContainText('Changes something')
    await expect(lastTool(page)).toContainText('Waits for you')
    expect(await issues(asked)).toEqual([])
    await waiting(conversation(page)).getByRole('button', { name: 'Edit', exact: true }).click()
    await waiting(conversation(page)).getByLabel('title').fill(edited)
    await waiting(conversation(page)).getByRole('button', { name: 'Use edits' }).click()
    await allow(conversation(page))
    await opened(page, edited)
    await expect(lastTool(page)).toContainText('as octocat')
    expect(await issues(asked, edited)).toMatchObject([{ title: edited, body: 'Hello' }])
  })

  await test.step('always is remembered, and shown where it can be ended', async () => {
    await ask(page, remembered)
    await allow(conversation(page), 'always')
    await opened(page, remembered)
    await ask(page, again)
    await opened(page, again)
    expect(await issues(remembered, again)).toHaveLength(2)

    await expect(access).toContainText('Ask before changes · Open an issue: always allowed')
    await access.getByRole('button', { name: 'Edit: octocat' }).click()
    await access.getByRole('button', { name: 'Details: octocat' }).click()
    const exception = access.locator('[data-slot="exception"]')
    await expect(exception).toContainText('Open an issue')
    await expect(exception).toContainText('Until you end it')
    await exception.getByRole('button', { name: 'End: Open an issue' }).click()
    await expect(exception).toHaveCount(0)
    await expect(access).not.toContainText('always allowed')

    const ended = unheardOf('Ended')
    await ask(page, ended)
    await waiting(conversation(page)).getByRole('button', { name: 'Say why' }).click()
    await waiting(conversation(page)).getByLabel('Why not?').fill('It is known already.')
    await waiting(conversation(page)).getByRole('button', { name: "Don't allow" }).click()
    await expect(conversation(page)).toContainText('It is known already.')
    expect(await issues(ended)).toEqual([])
  })

  await test.step('the second agent may not, and Activity says so', async () => {
    await page.getByRole('group', { name: 'Talk to' }).getByText('Mail helper').click()
    await expect(access).toContainText('Helper of Assistant')
    await say(page, 'List my repositories')
    await expect(conversation(page)).toContainText('Mail helper may not use GitHub.')
    await expect(lastTool(page)).toContainText('Not allowed')
    const refused = (await activity(page)).filter({ hasText: 'Mail helper' })
    await expect(refused).toHaveCount(1)
    await expect(refused).toContainText('List repositories')
    await expect(refused).toContainText('Blocked')
    await expectConnected(page, 'github')
  })
})

test('of two mailboxes the agent names one, and unnamed it is refused with the list', { tag: '@store' }, async ({
  page,
}) => {
  await open(page)
  await connectGmail(page)
  await panel(page).getByRole('button', { name: 'More options for Gmail' }).click()
  const another = page.getByRole('menuitem', { name: 'Add another Gmail account' })
  await throughPopup(page, () => another.click(), 'Grace Hopper')
  await expect(panel(page)).toContainText('grace@example.com')
  for (const [account, subject] of [
    ['grace@example.com', 'The nanosecond table'],
    ['ada@example.com', 'Re: Lunch next week?'],
  ]) {
    await say(page, `List my drafts as ${account}`)
    await expect(conversation(page)).toContainText(`${subject}`)
    await expect(lastTool(page)).toContainText(`as ${account}`)
  }
  await say(page, 'List my drafts')
  await expect(conversation(page)).toContainText(/Which account: (ada|grace)@example.com or (ada|grace)@example.com\?/)
  await expect(lastTool(page)).toContainText('Failed')
})

test('a yes for this chat holds in it after a reload, and not in the next one', { tag: '@store' }, async ({ page }) => {
  const [first, second, third] = [unheardOf('First'), unheardOf('Second'), unheardOf('Third')]
  await open(page)
  await ask(page, first)
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await allow(conversation(page), 'chat')
  await opened(page, first)
  await page.reload()
  await ask(page, second)
  await opened(page, second)
  await page.getByRole('button', { name: 'New chat' }).click()
  await ask(page, third)
  await expect(waiting(conversation(page))).toContainText(third)
  // What this chat waits for ends with it.
  await page.getByRole('button', { name: 'New chat' }).click()
  await expect(waiting(await unfold(page, 'Waiting for you'))).toHaveCount(0)
  expect(await issues(first, second, third)).toHaveLength(2)
})

test('a call that the chat went past says how its question ended, also after a reload', async ({ page }) => {
  const [denied, allowed, withdrawn] = [unheardOf('Denied'), unheardOf('Allowed'), unheardOf('Withdrawn')]
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  const row = (title: string) => {
    const question = conversation(page).getByRole('article', { name: 'You' }).filter({ hasText: title })
    return question.locator('xpath=following-sibling::article[1]').locator('.tool-state')
  }
  const goPast = async (title: string) => {
    await expect(row(title)).toHaveText('Waits for you')
    await say(page, 'List my repositories')
    await expect(lastTool(page)).toContainText('Done')
    await expect(row(title)).toHaveText('Waits for you')
  }

  await open(page)
  await ask(page, denied)
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await goPast(denied)
  await waiting(conversation(page)).getByRole('button', { name: 'Not now' }).click()
  await expect(row(denied)).toHaveText('Not allowed')

  // Said in the list beside the chat.
  await ask(page, allowed)
  await goPast(allowed)
  await allow(await unfold(page, 'Waiting for you'))
  await expect(row(allowed)).toHaveText('Allowed, not done')

  await ask(page, withdrawn)
  await goPast(withdrawn)
  const access = configuration(page).locator('.latchkey-access')
  await access.getByRole('button', { name: 'Edit: octocat' }).click()
  await access.getByRole('radio', { name: 'Read only' }).check()
  await expect(row(withdrawn)).toHaveText('Not allowed')

  await page.reload()
  await expect(row(denied)).toHaveText('Not allowed')
  await expect(row(allowed)).toHaveText('Allowed, not done')
  await expect(row(withdrawn)).toHaveText('Not allowed')
  expect(await issues(denied, allowed, withdrawn)).toEqual([])
})

test('a lease ends, everything stops, and a leak is blocked', { tag: '@store' }, async ({ page, demo }) => {
  const [first, second, third] = [unheardOf('First'), unheardOf('Second'), unheardOf('Third')]
  await open(page)

  await test.step('a lease runs out, and the next call asks', async () => {
    await ask(page, first)
    const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
    await throughPopup(page, () => connect.click(), 'The Octocat')
    await allow(conversation(page), 'hour')
    await opened(page, first)
    await ask(page, second)
    await opened(page, second)
    await demo.setAhead(HOUR + 60_000)
    await ask(page, third)
    await expect(waiting(conversation(page))).toContainText(third)
    expect(await issues(first, second, third)).toHaveLength(2)
  })

  await test.step('stop everything cuts off a slow call within a second, and denies what waits', async () => {
    await backDoor('github', 'faults', { path: '/api/v3/user/repos', faults: [{ delay: 60_000 }] })
    await say(page, 'List my private repositories')
    const started = async () => (await backDoor<{ path: string }[]>('github', 'log')).at(-1)?.path
    await expect.poll(started).toBe('/api/v3/user/repos')
    await expect(lastTool(page)).toContainText('Running')
    await page.getByRole('button', { name: 'Stop everything' }).click()
    const dialog = page.getByRole('dialog')
    const [stopped] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith('/api/latchkey/stop')),
      dialog.getByRole('button', { name: 'Stop everything' }).click(),
    ])
    expect(stopped.status()).toBe(200)
    await expect(lastTool(page)).toContainText('Failed', { timeout: 1000 })
    await expect(dialog).toContainText('1 request was denied.')
    await expect(dialog).toContainText('List private repositories')
    await dialog.getByRole('button', { name: 'Done' }).click()
    await say(page, 'List my repositories')
    await expect(lastTool(page)).toContainText('Not allowed')
    await expect(conversation(page)).toContainText('You stopped everything. Press “Start again”, and ask once more.')
    await page.getByRole('button', { name: 'Start again' }).click()
    await expect(page.getByRole('button', { name: 'Stop everything' })).toBeVisible()
    expect(await issues(third)).toEqual([])
  })

  await test.step('a token in what a tool answers does not reach the page, and Activity says so', async () => {
    await say(page, 'Show the diagnostics')
    await expect(conversation(page)).toContainText('GitHub is called with “Bearer [redacted]”.')
    await lastTool(page).locator('summary').click()
    await expect(lastTool(page)).toContainText('Bearer [redacted]')
    await expect(conversation(page)).not.toContainText('gho_')
    const leaks = (await activity(page)).filter({ hasText: 'Blocked a leak' })
    await expect(leaks).toHaveCount(1)
    await expect(leaks).toContainText('Assistant')
  })
})

// The clock of the process is that of the tests after this one.
test.afterEach(({ demo }) => demo.setAhead(0))
