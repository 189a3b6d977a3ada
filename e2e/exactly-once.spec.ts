// Case 206 of section Y: a change is made once, whatever happens while its person is asked.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Sandbox, startSandbox } from '@latchkey/sandbox'
import { type Locator, type Page, type Request, test } from '@playwright/test'
import type { Settings } from '../apps/bench/src/restarted-app.ts'
import { card, conversation, expect, panel, say, throughPopup, unheardOf } from './demo.ts'
import { builtPage } from './demo-server.ts'

/** The services, in this process: they live on when the app ends, and they count. */
let sandbox: Sandbox
let folder: string
let settings: Settings
let app: ChildProcess | undefined

const freePort = async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

/** Starts the app, or starts it again over the same store. */
async function start(): Promise<void> {
  const started = fork(path.join(import.meta.dirname, '../apps/bench/src/restarted-app.ts'), {
    env: {
      ...process.env,
      SETTINGS: JSON.stringify(settings),
      TOKEN_STORE_TYPE: 'sqlite',
      TOKEN_STORE_URL: path.join(folder, 'vault.db'),
      TOKEN_ENCRYPTION_KEY: settings.sessionSecret,
    },
    execArgv: [],
  })
  app = started
  const ended = once(started, 'exit').then(() => Promise.reject(new Error('The app does not start.')))
  ended.catch(() => {})
  await Promise.race([once(started, 'message'), ended])
}

async function stop(signal?: 'SIGKILL'): Promise<void> {
  if (!app) return
  const ended = once(app, 'exit')
  app.kill(signal)
  await ended
  app = undefined
}

test.beforeAll(async () => {
  const port = await freePort()
  sandbox = await startSandbox({ appOrigins: [`http://localhost:${port}`] })
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-exactly-once-'))
  settings = {
    port,
    page: builtPage,
    baseUrls: { github: sandbox.github.url, gmail: sandbox.google.url, kaggle: sandbox.kaggle.url },
    clients: { github: sandbox.github.client, gmail: sandbox.google.client },
    mcpOrigins: [],
    headerOrigins: {},
    vault: true,
    sessionSecret: randomBytes(32).toString('base64'),
  }
  await start()
})
test.afterAll(async () => {
  await stop()
  await sandbox.close()
  rmSync(folder, { recursive: true, force: true })
})

const REPOSITORY = 'octocat/hello-world'
const opened = (title: string) => sandbox.github.issues.filter((issue) => issue.title === title).length

async function visit(page: Page): Promise<void> {
  await page.goto(`http://localhost:${settings.port}/`)
  await expect(panel(page)).toBeVisible()
}

const waiting = (where: Locator): Locator => where.locator('.latchkey-request[data-state="waiting"]')
const allow = (where: Locator): Locator => waiting(where).getByRole('button', { name: 'Allow', exact: true })

/** What waits for the person, beside the chat. */
async function inbox(page: Page): Promise<Locator> {
  const fold = page.locator('details').filter({ has: page.getByRole('heading', { name: 'Waiting for you' }) })
  if (!(await fold.evaluate((node: HTMLDetailsElement) => node.open))) await fold.locator('summary').first().click()
  return fold
}

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

/** The person says yes in the chat, which goes on by itself. */
async function allowInChat(page: Page, title: string): Promise<void> {
  await allow(conversation(page)).click()
  await expect(conversation(page)).toContainText(`in ${REPOSITORY}, “${title}”`)
}

/** The page has no conversation any more: the person says yes beside it, and the answer is made again. */
async function allowInInbox(page: Page, sent: Request): Promise<void> {
  const list = await inbox(page)
  await allow(list).click()
  await expect(waiting(list)).toHaveCount(0)
  await answerAgain(page, sent)
}

test('a reload between question and answer', async ({ page }) => {
  const title = unheardOf('Reload')
  const sent = await ask(page, title)
  await page.reload()
  await answerAgain(page, sent)
  expect(opened(title)).toBe(0)
  await allowInInbox(page, sent)
  await expectOnce(page, sent, title)
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
  await allowInInbox(page, sent)
  await expectOnce(page, sent, title)
})

test('a double click, and two tabs that say yes at once', async ({ page, context }) => {
  const title = unheardOf('Twice')
  const sent = await ask(page, title)
  const other = await context.newPage()
  await visit(other)
  const there = allow(await inbox(other))
  await expect(there).toBeVisible()
  await Promise.all([allow(conversation(page)).dblclick(), there.dblclick()])
  await expect(waiting(other.locator('body'))).toHaveCount(0)
  await expectOnce(page, sent, title)
})

test("another tab's answer lets the chat go on", async ({ page, context }) => {
  const title = unheardOf('Elsewhere')
  const sent = await ask(page, title)
  const other = await context.newPage()
  await visit(other)
  await allow(await inbox(other)).click()
  await expect(conversation(page)).toContainText(`in ${REPOSITORY}, “${title}”`)
  await expectOnce(page, sent, title)
})

test('the server is started again while a change waits', async ({ page }) => {
  const title = unheardOf('Restart')
  const sent = await ask(page, title)
  await stop()
  await start()
  await allowInChat(page, title)
  await expectOnce(page, sent, title)
})

test('the server ends in the middle of a change: its person is asked whether it is made again', async ({ page }) => {
  const title = unheardOf('Crash')
  const sent = await ask(page, title)
  const route = `/api/v3/repos/${REPOSITORY}/issues`
  const calls = () => sandbox.github.log.filter(({ path, body }) => path === route && body.includes(title)).length
  // Long enough for the server to end before the answer.
  sandbox.github.addFaults(route, [{ delay: 1500 }])
  await allow(conversation(page)).click()
  await expect.poll(calls).toBe(1)
  await stop('SIGKILL')
  await expect.poll(() => opened(title)).toBe(1)
  await start()
  await page.reload()
  await Promise.all([answerAgain(page, sent), answerAgain(page, sent)])
  const list = await inbox(page)
  await expect(waiting(list)).toHaveCount(1)
  await expect(waiting(list)).toContainText('This may have happened already.')
  expect(calls()).toBe(1)
  await waiting(list).getByRole('button', { name: 'Not now' }).click()
  await waiting(list).getByRole('button', { name: "Don't allow" }).click()
  await expect(waiting(list)).toHaveCount(0)
  await answerAgain(page, sent)
  expect(calls()).toBe(1)
  expect(opened(title)).toBe(1)
})
