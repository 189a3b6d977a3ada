import { randomUUID } from 'node:crypto'
import { test as base, expect, type Locator, type Page, type Request } from '@playwright/test'
import { type Addresses, type Custody, type Demo, startDemo } from './demo-server.ts'

/** The URLs of the demo under test. Each worker has one demo. */
export const addresses: Addresses = { app: '', github: '', google: '', kaggle: '', mcp: {} }
export type StandInName = 'github' | 'google' | 'kaggle'

/** The stand-ins' back door: creates data and looks behind the scenes. */
export async function backDoor<T>(standIn: StandInName, path: string, body?: object): Promise<T> {
  const response = await fetch(`${addresses[standIn]}/__sandbox/${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${standIn} ${path}: ${response.status} ${await response.text()}`)
  return (response.status === 204 ? undefined : await response.json().catch(() => undefined)) as T
}

export const isLive = async (standIn: StandInName, token: string) =>
  (await backDoor<{ active: boolean }>(standIn, `tokens/${encodeURIComponent(token)}`)).active

/** Waits until an access token that was issued before is over. */
export async function untilOver(seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000
  await expect.poll(() => Date.now()).toBeGreaterThan(end)
}

/** A name that no other test or seed data uses. */
export const unheardOf = (prefix: string) => `${prefix}-${randomUUID().slice(0, 8)}`

/** The demo of a worker. Each test starts with freshly reset stand-ins. */
export const test = base.extend<{ freshStandIns: undefined }, { custody: Custody; demo: Demo }>({
  custody: ['browser', { option: true, scope: 'worker' }],
  demo: [
    async ({ custody }, use) => {
      const demo = await startDemo(custody)
      Object.assign(addresses, demo.addresses)
      await use(demo)
      await demo.close()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  baseURL: ({ demo }, use) => use(demo.addresses.app),
  freshStandIns: [
    async ({ demo: _ }, use) => {
      for (const name of ['github', 'google', 'kaggle'] as const) await backDoor(name, 'reset', {})
      await use(undefined)
    },
    { auto: true },
  ],
})
export { expect }

export const panel = (page: Page): Locator => page.getByRole('region', { name: 'Connected Accounts' })
export const card = (page: Page, provider: string): Locator =>
  panel(page).locator(`article[data-provider="${provider}"]`)
export const conversation = (page: Page): Locator => page.getByRole('log', { name: 'Conversation' })
export const configuration = (page: Page): Locator => page.getByRole('region', { name: 'Agent configuration' })
/** The last tool call in the chat. By its class: behind a dialog, nothing has a role. */
export const lastTool = (page: Page): Locator => page.locator('.tool').last()

/** What waits for the person's answer, in the chat or beside it. */
export const waiting = (where: Locator): Locator => where.locator('.latchkey-request[data-state="waiting"]')

/** The person says yes there: once, or for as long as the word says. */
export async function allow(where: Locator, remember?: string): Promise<void> {
  if (remember) await waiting(where).getByLabel('Remember').selectOption(remember)
  await waiting(where).getByRole('button', { name: 'Allow', exact: true }).click()
}

/** A part of the panel that is folded at first, unfolded anew: what is in it is asked for then. */
export async function unfold(page: Page, title: string): Promise<Locator> {
  const fold = configuration(page)
    .locator('details.fold')
    .filter({ has: page.getByRole('heading', { name: title, level: 2 }) })
  const head = fold.locator('summary').first()
  if (await fold.evaluate((node: HTMLDetailsElement) => node.open)) await head.click()
  await head.click()
  return fold
}

export async function open(page: Page): Promise<void> {
  await page.goto('/')
  await expect(panel(page)).toBeVisible()
}

export const expectConnected = (page: Page, ...providers: string[]) =>
  Promise.all(providers.map((provider) => expect(card(page, provider)).toHaveAttribute('data-status', 'connected')))

/** Clicks a button that closes the window, which may close before the click is reported. */
export async function closing(popup: Page, button: Locator): Promise<void> {
  const click = button.click({ noWaitAfter: true }).catch((error) => {
    if (!popup.isClosed()) throw error
  })
  await Promise.all([popup.waitForEvent('close'), click])
}

/** Clicks through a real login and consent page in the window that `start` opens. */
export async function throughPopup(page: Page, start: () => Promise<void>, person: string): Promise<void> {
  const [popup] = await Promise.all([page.waitForEvent('popup'), start()])
  await popup.getByRole('button', { name: `Continue as ${person}` }).click()
  await closing(popup, popup.getByRole('button', { name: 'Allow' }))
}

/** Agrees in the window that `start` opens, of a server that asks for no sign-in. */
export async function agree(page: Page, start: () => Promise<void>): Promise<void> {
  const [popup] = await Promise.all([page.waitForEvent('popup'), start()])
  await closing(popup, popup.getByRole('button', { name: 'Allow' }))
}

export const connectGitHub = async (page: Page, person = 'The Octocat') => {
  await throughPopup(page, () => panel(page).getByRole('button', { name: 'Connect GitHub' }).click(), person)
  await expectConnected(page, 'github')
}

export const connectGmail = async (page: Page, person = 'Ada Lovelace') => {
  await throughPopup(page, () => panel(page).getByRole('button', { name: 'Connect Gmail' }).click(), person)
  await expectConnected(page, 'gmail')
}

export interface KaggleCredentials {
  username: string
  key: string
  token: string
}

export const kaggleCredentials = (username = 'adalovelace') =>
  backDoor<KaggleCredentials>('kaggle', 'credentials', { username })

export async function connectKaggle(page: Page, key?: string): Promise<void> {
  await panel(page).getByRole('button', { name: 'Connect Kaggle' }).click()
  await page.getByLabel('Kaggle API key').fill(key ?? (await kaggleCredentials()).token)
  await page.keyboard.press('Enter')
  await expectConnected(page, 'kaggle')
}

/** Chooses from the menu of a provider's account, or of one of them: `GitHub`, `GitHub (octocat)`. */
export async function chooseFor(page: Page, account: string, item: string): Promise<void> {
  await panel(page)
    .getByRole('button', { name: `More options for ${account}` })
    .click()
  await page.getByRole('menuitem', { name: `${item} ${account}` }).click()
}

/** Disconnects a provider's account, and answers the question. */
export async function disconnect(page: Page, account: string): Promise<void> {
  await chooseFor(page, account, 'Disconnect')
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click()
}

/** Presses Tab until this element has the focus, as a person without a mouse does. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (await target.evaluate((node) => node === document.activeElement).catch(() => false)) return
    await page.keyboard.press('Tab')
  }
  throw new Error('Tab never gets there')
}

/** Sends a chat message, and returns its request. */
export async function say(page: Page, text: string): Promise<Request> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  const [request] = await Promise.all([
    page.waitForRequest((request) => /\/api\/chat(\/|$)/.test(request.url()) && request.method() === 'POST'),
    page.keyboard.press('Enter'),
  ])
  return request
}

/** The providers whose accounts a chat request carries: as identities, or as references to what the server keeps. */
export const carried = (request: Request): string[] => {
  type Carried = { provider: string; accessToken?: string }
  const body = request.postDataJSON() as { identities?: Carried[]; connectedAccounts?: Carried[] }
  return [...(body.identities ?? []), ...(body.connectedAccounts ?? [])].map(({ provider }) => provider)
}

/** The access tokens in a stand-in's log, in order. */
export async function shownTokens(standIn: StandInName): Promise<string[]> {
  const log = await backDoor<{ headers: Record<string, string> }[]>(standIn, 'log')
  return log.flatMap(({ headers }) => /^(?:bearer|token) (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? [])
}

export interface ReceivedToken {
  access_token: string
  refresh_token?: string
}

/**
 * The tokens that the page receives from now on. The route reads each answer before the page does: a body that is asked
 * for later may be gone from the browser.
 */
export async function receivedTokens(page: Page): Promise<ReceivedToken[]> {
  const tokens: ReceivedToken[] = []
  await page.route('**/api/latchkey/token', async (route) => {
    const response = await route.fetch()
    if (response.ok()) tokens.push(((await response.json()) as { token: ReceivedToken }).token)
    await route.fulfill({ response })
  })
  return tokens
}

/** Every value in localStorage, sessionStorage and IndexedDB of the page, as one text. */
export function everythingStored(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const texts = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })]
    const asText = (value: unknown): string => {
      if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
        return new TextDecoder('latin1').decode(value as ArrayBuffer)
      }
      if (typeof value === 'object' && value !== null) return Object.entries(value).flat().map(asText).join(' ')
      return String(value)
    }
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name as string)
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
      for (const store of database.objectStoreNames) {
        const rows = await new Promise<unknown[]>((resolve, reject) => {
          const request = database.transaction(store).objectStore(store).getAll()
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
        texts.push(...rows.map(asText))
      }
      database.close()
    }
    return texts.join('\n')
  })
}

/**
 * Says something for which a tool is called that its person has not seen, and allows the tool for good. Resolves to the
 * request of the chat, as {@link say} does.
 */
export async function sayAndAllow(page: Page, text: string) {
  const sent = await say(page, text)
  await allow(conversation(page), 'always')
  return sent
}
