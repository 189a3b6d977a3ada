// A person confirms with a passkey, in a browser with a virtual authenticator, at a broker that verifies it.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { github } from '@latchkey/core/providers/github'
import { type AccountTool, ApprovalRequired, withAccount } from '@latchkey/server'
import { localKeys, memoryStore } from '@latchkey/server/vault'
import type { Passkey } from '@latchkey/server/webauthn'
import { type CDPSession, expect, type Page, test } from '@playwright/test'
import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server'
import { build } from 'esbuild'
import { createConfirmingBroker } from '../packages/server/examples/confirm.ts'

const erase: AccountTool = {
  ...{ provider: github(), toolName: 'delete_repo', title: 'Delete a repository', effect: 'destructive' },
}

let script: string
let server: Server
let origin: string
let broker: ReturnType<typeof createConfirmingBroker>
let passkeys: Passkey[]
let made: unknown[]

/** A request as the broker takes it. */
async function requestOf(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const { method = 'GET', url = '/', headers } = incoming
  const sent = method === 'GET' ? {} : { body: Buffer.concat(chunks) }
  return new Request(origin + url, { method, headers: headers as Record<string, string>, ...sent })
}

test.beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, 'passkey/page.tsx')],
    bundle: true,
    write: false,
    jsx: 'automatic',
    format: 'esm',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  })
  script = outputFiles[0]?.text ?? ''
})
test.beforeEach(async () => {
  made = []
  passkeys = []
  server = createServer(async (incoming, response) => {
    const { pathname } = new URL(incoming.url ?? '/', origin)
    if (pathname === '/page.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    if (!pathname.startsWith('/api/')) {
      const page =
        '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/page.js"></script>'
      return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page)
    }
    const answer = await broker(await requestOf(incoming))
    return response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  broker = createConfirmingBroker({
    origin,
    provider: github(),
    tools: [erase],
    authenticate: async (request) => /user=(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? null,
    passkeys: {
      ofUser: async (user) => (user === 'ada' ? passkeys : []),
      async setCounter(id, counter) {
        passkeys = passkeys.map((one) => (one.id === id ? { ...one, counter } : one))
      },
    },
    oversight: { store: memoryStore(), keys: localKeys(randomBytes(32).toString('base64')), webhooks: [] },
  })
})
test.afterEach(async () => {
  broker.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** What the agent does for a message of ada. It names its request, if she is asked. */
async function run(message: string): Promise<string> {
  const identities = [{ provider: 'github', accessToken: 'CANARY_AT', accountId: `github.${'a'.repeat(22)}` }]
  const { context } = await broker.agentContext('ada', { identities }, { agent: 'assistant', run: message })
  const act = withAccount(erase, async (input: object, account) => {
    await account.getToken()
    made.push(input)
    return 'done'
  })
  return context
    .run(() => act({ repo: 'ada/engine' }, {}))
    .catch((error: unknown) => {
      if (error instanceof ApprovalRequired) return error.notice.request
      throw error
    })
}

/** A passkey in the browser, which its person confirms with a finger, or not. */
async function authenticator(page: Page): Promise<{ cdp: CDPSession; authenticatorId: string }> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  })
  return { cdp, authenticatorId }
}

/** Makes a passkey, as the settings of an app do. */
async function enrol(page: Page): Promise<void> {
  const options = await generateRegistrationOptions({ rpName: 'App', rpID: 'localhost', userName: 'ada' })
  const response = await page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      options as PublicKeyCredentialCreationOptionsJSON,
    )
    const credential = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential
    return credential.toJSON()
  }, options as object)
  const { registrationInfo } = await verifyRegistrationResponse({
    response: response as Parameters<typeof verifyRegistrationResponse>[0]['response'],
    expectedChallenge: options.challenge,
    expectedOrigin: origin,
    expectedRPID: 'localhost',
  })
  if (!registrationInfo) throw new Error('The passkey was not made.')
  passkeys = [registrationInfo.credential]
}

const card = (page: Page) => page.getByRole('article')
const allow = (page: Page) => card(page).getByRole('button', { name: 'Allow' })

test('what cannot be undone is confirmed with a passkey once, and neither cancelled nor replayed', async ({ page }) => {
  await page.context().addCookies([{ name: 'user', value: 'ada', url: origin }])
  const id = await run('m1')
  await page.goto(`${origin}/requests/${id}`)
  const { cdp, authenticatorId } = await authenticator(page)
  await expect(card(page)).toContainText('You confirm this with your passkey.')

  // She has none yet. The card says what to do, and makes none.
  await allow(page).click()
  await expect(card(page).getByRole('alert')).toContainText("Add one in the app's settings")
  await enrol(page)

  // The finger is not hers: nothing is sent, and the card is as it was.
  const answers: string[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith(`/requests/${id}`)) answers.push(request.postData() ?? '')
  })
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  await allow(page).click()
  await expect(card(page).getByRole('alert')).toContainText('nothing was allowed')
  await expect(card(page)).toHaveAttribute('data-state', 'waiting')
  expect(answers).toEqual([])
  expect(await run('m1')).toBe(id)

  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
  await allow(page).click()
  await expect(card(page)).toHaveAttribute('data-state', 'approved')
  expect(await run('m1')).toBe('done')
  expect(made).toEqual([{ repo: 'ada/engine' }])

  // The same call is asked about again, and what she signed before is worth nothing for it.
  const again = await run('m2')
  const replay = (proof: string, to: string) =>
    page.request.post(`${origin}/api/latchkey/requests/${to}`, {
      headers: { origin, 'latchkey-request': '1', 'content-type': 'application/json' },
      data: proof,
    })
  expect(answers).toHaveLength(1)
  const [proof = ''] = answers
  expect(proof).toContain('"signature"')
  expect((await replay(proof, again)).status()).toBe(400)
  await page.goto(`${origin}/requests/${again}`)
  await expect(card(page)).toHaveAttribute('data-state', 'waiting')
  // A click that came twice changes nothing either.
  expect((await replay(proof, id)).status()).toBe(200)
  expect(await run('m2')).toBe(again)
  expect(made).toHaveLength(1)
})

test('case 196: a link that was passed on shows nothing to who is not asked', async ({ page }) => {
  const id = await run('m1')
  for (const cookies of [[], [{ name: 'user', value: 'eve', url: origin }]]) {
    await page.context().addCookies(cookies)
    await page.goto(`${origin}/requests/${id}`)
    await expect(page.locator('.latchkey-request')).toContainText(/isn't there for you|couldn't be loaded/)
    await expect(page.getByRole('button', { name: 'Allow' })).toHaveCount(0)
    expect(await page.content()).not.toMatch(/ada\/engine|Delete a repository|Assistant/)
  }
  expect(await run('m1')).toBe(id)
})
