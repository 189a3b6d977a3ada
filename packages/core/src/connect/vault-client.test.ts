// @vitest-environment jsdom

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { eventually, freshPage, openPopups, readableStorage, visitCallback } from '../../fixtures/page.ts'
import { type ConnectedAccount, createLatchkey, type LatchkeyClient } from '../index.ts'
import { github } from '../providers/github.ts'
import { kaggle } from '../providers/kaggle.ts'
import { identitiesBody } from '../runtimes/ai-sdk.ts'

const KEY = `KGAT_${'7'.repeat(32)}`
const ID = `github.${'a'.repeat(22)}`
const KAGGLE_ID = `kaggle.${'b'.repeat(22)}`

const fact = (id: string, change: Partial<ConnectedAccount> = {}): ConnectedAccount => ({
  id,
  provider: id.split('.')[0] ?? '',
  issuer: 'https://issuer.example',
  subject: '1',
  label: 'ada',
  scopes: ['read:user'],
  missingScopes: [],
  status: 'connected',
  renewable: true,
  expiresAt: 1,
  custody: 'vault',
  connectedAt: 1,
  rev: 7,
  ...change,
})

const STATE = 's'.repeat(43)

/** A broker with a vault, and the requests that it got. */
function vaultBroker() {
  const kept = new Map<string, ConnectedAccount>()
  const sent: { route: string; body: Record<string, unknown> | undefined }[] = []
  const faults: Record<string, () => Response | Promise<Response>> = {}
  const fetch = async (input: string | URL, init: RequestInit = {}) => {
    const route = `${init.method ?? 'GET'} ${String(input).replace('/api/latchkey/', '')}`
    const body = init.body ? JSON.parse(String(init.body)) : undefined
    sent.push({ route, body })
    const fault = faults[route]
    if (fault) return fault()
    const id = route.split('/').at(-1) ?? ''
    if (route === 'GET providers') {
      const providers = [
        { id: 'github', client_id: 'app', mode: 'vault' },
        { id: 'kaggle', mode: 'vault' },
      ]
      return Response.json({ providers })
    }
    if (route === 'POST flows')
      return Response.json({ url: `https://github.com/authorize?state=${STATE}`, state: STATE })
    if (route === `POST flows/${STATE}`) kept.set(ID, fact(ID))
    if (route === `POST flows/${STATE}`) return Response.json({ account: fact(ID) })
    if (route === 'GET accounts') return Response.json({ accounts: [...kept.values()] })
    if (route === 'POST accounts') kept.set(KAGGLE_ID, fact(KAGGLE_ID, { renewable: false, expiresAt: undefined }))
    if (route === 'POST accounts') return Response.json({ account: kept.get(KAGGLE_ID) })
    const account = kept.get(id)
    if (!account) return Response.json({ error: 'invalid_request' }, { status: 404 })
    if (init.method !== 'DELETE') return Response.json({ account })
    kept.delete(id)
    return Response.json({ status: 'revoked' })
  }
  vi.stubGlobal('fetch', fetch)
  return { kept, sent, faults }
}

let broker: ReturnType<typeof vaultBroker>
let client: LatchkeyClient

beforeEach(() => {
  broker = vaultBroker()
  client = createLatchkey({ providers: [github(), kaggle()], broker: '/api/latchkey' })
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await freshPage()
})

async function connectGitHub() {
  const popups = openPopups()
  const outcome = client.connect('github')
  await popups[0]?.at()
  visitCallback(`?code=CANARY_CODE&state=${STATE}`)
  expect(await outcome).toMatchObject({ status: 'connected', account: { id: ID } })
}

it('connects through the server: verifier and tokens are never in the page', async () => {
  await connectGitHub()
  expect(broker.sent.map(({ route }) => route)).toEqual(['GET providers', 'POST flows', `POST flows/${STATE}`])
  expect(broker.sent[1]?.body).toMatchObject({
    provider: 'github',
    redirect_uri: `${location.origin}/api/latchkey/callback`,
  })
  expect(broker.sent[2]?.body).toEqual({ response: `?code=CANARY_CODE&state=${STATE}` })
  expect(client.getSnapshot().accounts[ID]).toMatchObject({ custody: 'vault', label: 'ada', status: 'connected' })
  // The server watches when the token expires.
  expect(client.getSnapshot().accounts[ID]).not.toHaveProperty('expiresAt')
  expect(await readableStorage()).not.toContain('CANARY')
  await expect(client.getToken('github')).rejects.toMatchObject({ code: 'misuse' })
  expect(await client.getIdentities()).toEqual([])
  // After a reload it is shown at once.
  const again = createLatchkey({ providers: [github(), kaggle()], broker: '/api/latchkey' })
  expect(again.getSnapshot().accounts[ID]?.status).toBe('connected')
})

it('M1: a cancel while the server finishes ends the new account there too, and none appears here', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  broker.faults[`POST flows/${STATE}`] = async () => {
    await held
    broker.kept.set(ID, fact(ID))
    return Response.json({ account: fact(ID) })
  }
  const popups = openPopups()
  const outcome = client.connect('github')
  await popups[0]?.at()
  visitCallback(`?code=CANARY_CODE&state=${STATE}`)
  await eventually(() => expect(client.getSnapshot().providers.github?.reason).toBe('finishing'))
  client.cancel('github')
  expect(await outcome).toMatchObject({ status: 'cancelled' })
  release()
  await eventually(() => expect(broker.sent.at(-1)?.route).toBe(`DELETE accounts/${ID}`))
  expect(broker.kept.size).toBe(0)
  expect(client.getSnapshot().accounts).toEqual({})
})

it('an agent gets references only to accounts that it may use', async () => {
  await connectGitHub()
  await client.connectKey('kaggle', { key: KEY })
  const body = identitiesBody(client, { agent: 'assistant' })
  const reference = { provider: 'github', accountId: ID, status: 'connected', scopes: ['read:user'] }
  const label = client.getSnapshot().accounts[ID]?.label
  const asked = broker.sent.length
  expect(await body()).toEqual({
    connectedAccounts: [reference, expect.objectContaining({ accountId: KAGGLE_ID })],
    accounts: [{ ...reference, label }, expect.objectContaining({ accountId: KAGGLE_ID })],
  })
  // Both lists are of what the server says now, asked once.
  expect(broker.sent.slice(asked).map(({ route }) => route)).toEqual(['GET accounts'])
  client.setIncluded('assistant', 'kaggle', false)
  expect(await body()).toEqual({ connectedAccounts: [reference], accounts: [{ ...reference, label }] })
  broker.kept.set(ID, fact(ID, { status: 'needs-reconnect', reason: 'revoked' }))
  expect(await body()).toEqual({})
  expect(client.getSnapshot().accounts[ID]?.status).toBe('needs-reconnect')
})

it('a key is sent once and not stored in the page; until the custody is known, it stays in the form', async () => {
  broker.faults['GET providers'] = () => Promise.reject(new TypeError('offline'))
  await expect(client.connectKey('kaggle', { key: KEY })).rejects.toMatchObject({ code: 'network' })
  delete broker.faults['GET providers']
  expect(await client.verifyKey('kaggle', { key: KEY })).toEqual({ status: 'unchecked' })
  expect(JSON.stringify(broker.sent)).not.toContain(KEY)
  broker.faults['POST accounts'] = () => Response.json({ error: 'invalid_token', message: 'No.' }, { status: 400 })
  await expect(client.connectKey('kaggle', { key: KEY })).rejects.toMatchObject({
    code: 'invalid_token',
    next: 'edit-key',
  })
  delete broker.faults['POST accounts']
  broker.sent.length = 0
  await client.connectKey('kaggle', { key: KEY })
  expect(broker.sent.filter(({ body }) => JSON.stringify(body ?? {}).includes(KEY)).map(({ route }) => route)).toEqual([
    'POST accounts',
  ])
  expect(await readableStorage()).not.toContain(KEY)
})

it('the server disconnects, and accounts that it ended elsewhere are removed here too', async () => {
  await connectGitHub()
  expect(await client.disconnect(ID)).toEqual({ status: 'revoked' })
  expect(client.getSnapshot().accounts).toEqual({})
  await connectGitHub()
  broker.kept.clear()
  client.mount()
  await eventually(() => expect(client.getSnapshot().accounts).toEqual({}))
})

it('a server that cannot be reached is told of a disconnect later, unless the account was connected again', async () => {
  await connectGitHub()
  client.mount()
  const away = () => Promise.reject(new TypeError('Failed to fetch'))
  broker.faults[`DELETE accounts/${ID}`] = away
  expect(await client.disconnect(ID)).toMatchObject({ status: 'pending' })
  // The server still has it: it does not come back here, nor in a page that is opened now.
  await client.getConnectedAccounts()
  const other = createLatchkey({ providers: [github(), kaggle()], broker: '/api/latchkey', custody: 'vault' })
  other.mount()
  await eventually(() => expect(broker.sent.filter(({ route }) => route === 'GET accounts').length).toBeGreaterThan(1))
  expect([client, other].map((one) => one.getSnapshot().accounts)).toEqual([{}, {}])
  delete broker.faults[`DELETE accounts/${ID}`]
  dispatchEvent(new Event('online'))
  await eventually(() => expect(broker.kept.size).toBe(0))

  await connectGitHub()
  broker.faults[`DELETE accounts/${ID}`] = away
  expect(await client.disconnect(ID)).toMatchObject({ status: 'pending' })
  delete broker.faults[`DELETE accounts/${ID}`]
  // In another browser.
  broker.kept.set(ID, fact(ID, { connectedAt: 2 }))
  dispatchEvent(new Event('online'))
  await eventually(() => expect(localStorage.getItem(`latchkey:pending:${ID}`)).toBeNull())
  expect(broker.kept.size).toBe(1)
})

it('another browser of the same person loads the accounts at start, if custody is given', async () => {
  broker.kept.set(ID, fact(ID))
  const other = createLatchkey({ providers: [github(), kaggle()], broker: '/api/latchkey', custody: 'vault' })
  other.mount()
  await eventually(() => expect(other.getSnapshot().accounts[ID]?.label).toBe('ada'))
  expect(await other.getConnectedAccounts()).toMatchObject([{ accountId: ID }])
})

it('an account whose token an API refused gets the status from the server', async () => {
  await connectGitHub()
  broker.kept.set(ID, fact(ID, { status: 'needs-reconnect', reason: 'revoked' }))
  expect(await client.reportInvalidToken(ID)).toMatchObject({ status: 'needs-reconnect' })
  broker.kept.clear()
  await expect(client.reportInvalidToken(ID)).rejects.toMatchObject({ code: 'login_required' })
  expect(client.getSnapshot().accounts).toEqual({})
})

it.each(['GET accounts', `POST flows/${STATE}`, 'POST accounts', `POST accounts/${ID}`])(
  'case 312: what the server says to "%s" after a sign-out restores nothing',
  async (route) => {
    await connectGitHub()
    broker.kept.set(KAGGLE_ID, fact(KAGGLE_ID))
    const { promise: signedOut, resolve: signOut } = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    broker.faults[route] = async () => {
      asked.resolve()
      await signedOut
      return Response.json({ account: fact(ID), accounts: [...broker.kept.values()] })
    }
    const acts: Record<string, () => Promise<unknown>> = {
      'GET accounts': () => client.getConnectedAccounts(),
      [`POST flows/${STATE}`]: connectGitHub,
      'POST accounts': () => client.connectKey('kaggle', { key: KEY }),
      [`POST accounts/${ID}`]: () => client.reportInvalidToken(ID),
    }
    const act = acts[route]!().catch(() => {})
    await asked.promise
    await client.signOut()
    signOut()
    await act
    // A call that is made after it is answered after it.
    await client.getConnectedAccounts()
    expect(client.getSnapshot().accounts).toEqual({})
    expect(await readableStorage()).not.toContain(ID)
  },
)

it('case 246: a pause is kept on the server, and what it could not be told did not happen', async () => {
  await connectGitHub()
  const turned = () => broker.sent.filter(({ route }) => route === `POST accounts/${ID}`).map(({ body }) => body)
  broker.kept.set(ID, fact(ID, { status: 'paused' }))
  await client.pause(ID)
  expect(client.getSnapshot().accounts[ID]?.status).toBe('paused')
  expect(await client.getConnectedAccounts()).toEqual([])
  broker.kept.set(ID, fact(ID))
  await client.unpause(ID)
  expect(turned()).toEqual([{ paused: true }, { paused: false }])
  expect(client.getSnapshot().accounts[ID]?.status).toBe('connected')
  broker.faults[`POST accounts/${ID}`] = () => Promise.reject(new TypeError('offline'))
  await expect(client.pause(ID)).rejects.toMatchObject({ code: 'network' })
  expect(client.getSnapshot().accounts[ID]?.status).toBe('connected')
  expect(client.getSnapshot().providers.github?.error).toMatchObject({ code: 'network' })
})

it('case 248: another account is asked for with the chooser, and scopes that nobody asked for are shown', async () => {
  await connectGitHub()
  broker.faults[`POST flows/${STATE}`] = () => Response.json({ account: fact(ID, { extraScopes: ['admin'] }) })
  const popups = openPopups()
  const outcome = client.connect('github', { intent: 'add-account' })
  await popups[0]?.at()
  visitCallback(`?code=CANARY_CODE&state=${STATE}`)
  await outcome
  const chosen = broker.sent.filter(({ route }) => route === 'POST flows').map(({ body }) => body?.choose)
  expect(chosen).toEqual([false, true])
  expect(client.getSnapshot().accounts[ID]?.extraScopes).toEqual(['admin'])
})

it('case 300: an ended session of the app removes no account from the page', async () => {
  await connectGitHub()
  const ended = () => Response.json({ error: 'login_required', message: 'Sign in to the app first.' }, { status: 401 })
  broker.faults[`POST accounts/${ID}`] = ended
  await expect(client.reportInvalidToken(ID)).rejects.toMatchObject({ code: 'login_required' })
  expect(client.getSnapshot().accounts[ID]).toMatchObject({ status: 'connected' })
})
