// Case 206 of section Y: a change is made once, whatever happens while its person is asked.
import { type Sandbox, startSandbox } from '@latchkey/sandbox'
import { type Locator, type Page, type Request, test } from '@playwright/test'
import { allow, card, conversation, expect, panel, say, throughPopup, unfold, unheardOf, waiting } from './demo.ts'
import { createRestartedApp, type RestartedApp, servicesOf } from './demo-server.ts'

let sandbox: Sandbox
let app: RestartedApp

test.beforeAll(async () => {
  app = await createRestartedApp(true)
  sandbox = await startSandbox({ appOrigins: [app.origin] })
  await app.start(servicesOf(sandbox))
})
test.afterAll(async () => {
  await app.close()
  await sandbox.close()
})

const REPOSITORY = 'octocat/hello-world'
const ISSUES = `/api/v3/repos/${REPOSITORY}/issues`
/** The times that the service was called to open an issue. */
const calls = (title: string) =>
  sandbox.github.log.filter(({ path, body }) => path === ISSUES && body.includes(title)).length
const opened = (title: string) => sandbox.github.issues.filter((issue) => issue.title === title).length

async function visit(page: Page): Promise<void> {
  await page.goto(app.origin)
  await expect(panel(page)).toBeVisible()
}

/** What waits for the person, beside the chat. */
const inbox = (page: Page): Promise<Locator> => unfold(page, 'Waiting for you')

/**
 * A person says what is asked about, and connects the account. Resolves to the chat's request for the answer, when the
 * question is in the chat: the call waits there, however the chat's runtime pauses.
 */
async function ask(page: Page, title: string): Promise<Request> {
  await visit(page)
  await say(page, `Open an issue in ${REPOSITORY} titled ${title}`)
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  const isChat = (request: Request) => request.url().endsWith('/api/chat') && request.method() === 'POST'
  const [sent] = await Promise.all([
    page.waitForRequest(isChat),
    throughPopup(page, () => connect.click(), 'The Octocat'),
  ])
  await expect(waiting(conversation(page))).toHaveCount(1)
  expect(opened(title)).toBe(0)
  return sent
}

/** The answer to a message is made again, as in an app that has kept its messages. */
const answerAgain = (page: Page, sent: Request) =>
  page.evaluate(
    async ([url, body]) => {
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      return response.text()
    },
    [sent.url(), sent.postData() ?? ''] as const,
  )

/** It was made once, and however often the answer is made again, it is not made again. */
async function expectOnce(page: Page, sent: Request, title: string): Promise<void> {
  await expect.poll(() => opened(title)).toBe(1)
  await Promise.all([answerAgain(page, sent), answerAgain(page, sent)])
  expect(opened(title)).toBe(1)
}

/** The chat goes on by itself, with a call that was made. */
const goesOn = (page: Page, title: string) => expect(conversation(page)).toContainText(`in ${REPOSITORY}, “${title}”`)

for (const where of ['on the card', 'in the inbox', 'in another tab']) {
  test(`a reload between question and answer, which is given ${where}`, async ({ page, context }) => {
    const title = unheardOf('Reload')
    const sent = await ask(page, title)
    await page.reload()
    await expect(waiting(conversation(page))).toContainText(title)
    await answerAgain(page, sent)
    expect(opened(title)).toBe(0)
    if (where === 'on the card') await allow(conversation(page))
    if (where === 'in the inbox') await allow(await inbox(page))
    if (where === 'in another tab') {
      const other = await context.newPage()
      await visit(other)
      await allow(await inbox(other))
    }
    await goesOn(page, title)
    await expectOnce(page, sent, title)
  })
}

test('a reload in the middle of an answer: it is given again, and nothing is done twice', async ({ page }) => {
  const title = unheardOf('Cut')
  const sent = await ask(page, title)
  sandbox.github.addFaults(ISSUES, [{ delay: 1000 }])
  await allow(conversation(page))
  await expect.poll(() => calls(title)).toBe(1)
  await page.reload()
  await expect(conversation(page)).toContainText('left before the answer was complete')
  await expect.poll(() => opened(title)).toBe(1)
  await conversation(page).getByRole('button', { name: 'Answer again' }).click()
  await expect(waiting(conversation(page))).toContainText('This may have happened already.')
  await waiting(conversation(page)).getByRole('button', { name: 'Not now' }).click()
  await expect(conversation(page)).toContainText('You said no')
  expect(calls(title)).toBe(1)
  await answerAgain(page, sent)
  expect(calls(title)).toBe(1)
})

test('case 206: another account is connected in redirect mode while a change waits', async ({ page }) => {
  const title = unheardOf('Redirect')
  const sent = await ask(page, title)
  await page.evaluate(() => {
    window.open = () => null
  })
  await panel(page).getByRole('button', { name: 'Connect Gmail' }).click()
  await card(page, 'gmail').getByRole('button', { name: 'Open in this tab' }).click()
  await page.getByRole('button', { name: 'Continue as Ada Lovelace' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'connected')
  expect(opened(title)).toBe(0)
  await allow(await inbox(page))
  await goesOn(page, title)
  await expectOnce(page, sent, title)
})

test('a double click, and two tabs that say yes at once', async ({ page, context }) => {
  const title = unheardOf('Twice')
  const sent = await ask(page, title)
  const other = await context.newPage()
  await visit(other)
  const yes = [conversation(page), await inbox(other)].map((where) =>
    waiting(where).getByRole('button', { name: 'Allow' }),
  )
  await Promise.all(yes.map((button) => expect(button).toBeVisible()))
  await Promise.all(yes.map((button) => button.dblclick()))
  await expect(waiting(other.locator('body'))).toHaveCount(0)
  await expectOnce(page, sent, title)
})

test("another tab's answer lets the chat go on", async ({ page, context }) => {
  const title = unheardOf('Elsewhere')
  const sent = await ask(page, title)
  const other = await context.newPage()
  await visit(other)
  await allow(await inbox(other))
  await goesOn(page, title)
  await expectOnce(page, sent, title)
})

test('the server is started again while a change waits', async ({ page }) => {
  const title = unheardOf('Restart')
  const sent = await ask(page, title)
  await app.stop()
  await app.start()
  await allow(conversation(page))
  await goesOn(page, title)
  await expectOnce(page, sent, title)
})

test('the server ends in the middle of a change: its person is asked whether it is made again', async ({ page }) => {
  const title = unheardOf('Crash')
  const sent = await ask(page, title)
  // Long enough for the server to end before the answer.
  sandbox.github.addFaults(ISSUES, [{ delay: 1500 }])
  await allow(conversation(page))
  await expect.poll(() => calls(title)).toBe(1)
  await app.stop('SIGKILL')
  await expect.poll(() => opened(title)).toBe(1)
  await app.start()
  await page.reload()
  await Promise.all([answerAgain(page, sent), answerAgain(page, sent)])
  const list = await inbox(page)
  await expect(waiting(list)).toHaveCount(1)
  await expect(waiting(list)).toContainText('This may have happened already.')
  expect(calls(title)).toBe(1)
  await waiting(list).getByRole('button', { name: 'Not now' }).click()
  await expect(waiting(list)).toHaveCount(0)
  await answerAgain(page, sent)
  expect(calls(title)).toBe(1)
  expect(opened(title)).toBe(1)
})
