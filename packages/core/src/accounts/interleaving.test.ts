// @vitest-environment jsdom
// Any interleaving of what a person and tabs do keeps the invariants of accounts.

import { createTinyServer } from '@latchkey/sandbox/tiny'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { acme } from '../../fixtures/acme.ts'
import { freshPage, locks } from '../../fixtures/page.ts'
import { sharedStorage } from '../../fixtures/tabs.ts'
import { type ConnectedAccount, createLatchkey, defaultAccount, type LatchkeyClient } from '../index.ts'
import { openDatabase } from './database.ts'

afterEach(async () => {
  Object.defineProperty(navigator, 'locks', { value: locks, configurable: true })
  await freshPage()
})

const TABS = 3
const PEOPLE = ['ada', 'grace'] as const
const step = fc.record({
  act: fc.constantFrom('connect', 'refresh', 'refresh', 'disconnect', 'pause', 'unpause', 'tell', 'reload', 'default'),
  tab: fc.nat(TABS - 1),
  person: fc.constantFrom(...PEOPLE),
  count: fc.integer({ min: 1, max: 4 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
/** Steps of one batch run at once, batches one after another. Events reach other tabs only when a step delivers them. */
const story = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 })

/** What the person must see afterwards; undefined if two concurrent steps may end either way. */
type Expected = Record<string, { there: boolean | undefined; paused: boolean | undefined }>

let runs = 0

async function tell(batches: Step[][]) {
  runs += 1
  const prefix = `run${runs}`
  const server = createTinyServer()
  server.settings.expiresIn = 0
  vi.spyOn(globalThis, 'fetch').mockImplementation(server.fetch)
  const browser = sharedStorage()
  const open = () => {
    const storage = browser.tab()
    const client = createLatchkey({
      providers: [acme(server)],
      redirectUri: '/callback',
      storage,
      prefix,
    })
    return { client, storage, leave: client.mount() }
  }
  const tabs = Array.from({ length: TABS }, () => open())
  const accountOf = (client: LatchkeyClient, person: string): ConnectedAccount | undefined =>
    Object.values(client.getSnapshot().accounts).find(({ subject }) => subject === person)
  const expected: Expected = Object.fromEntries(PEOPLE.map((person) => [person, { there: false, paused: false }]))

  let effects: Pick<Step, 'act' | 'person'>[] = []
  const run = async ({ act, tab, person, count }: Step): Promise<unknown> => {
    const { client, storage } = tabs[tab]!
    const account = accountOf(client, person)
    // A tab can disconnect or pause only accounts that it knows. There is one flow at a time: a second would join it.
    if (act === 'connect' ? client.getSnapshot().providers.acme : !account && act !== 'tell' && act !== 'reload') return
    effects.push({ act, person })
    switch (act) {
      case 'connect': {
        const url = await client.connectLink('acme')
        return client.handleRedirect(`${location.origin}/callback${server.approve(url, person)}`)
      }
      case 'refresh':
        return account && client.getToken({ accountId: account.id })
      case 'disconnect':
        return account && client.disconnect(account.id)
      case 'pause':
        return account && client.pause(account.id)
      case 'unpause':
        return account && client.unpause(account.id)
      case 'default':
        if (account) client.setDefault(account.id)
        // It is shown at once, and saved when the engine has loaded, before later calls.
        return client.getConnectedAccounts()
      case 'tell':
        return browser.tell(storage.at, count)
      case 'reload':
        // The old page finishes what it began, like a page in the back/forward cache.
        tabs[tab]!.leave()
        tabs[tab] = open()
        return undefined
    }
  }

  for (const batch of batches) {
    effects = []
    const turns = batch.map((one) => run(one).catch(() => {}))
    for (const person of PEOPLE) {
      const acts = new Set(effects.filter((effect) => effect.person === person).map(({ act }) => act))
      const now = expected[person]!
      if (acts.has('connect')) now.there = acts.has('disconnect') ? undefined : true
      else if (acts.has('disconnect')) now.there = false
      const kinds = (['pause', 'unpause', 'connect'] as const).filter((act) => acts.has(act))
      if (kinds.length > 1) now.paused = undefined
      else if (kinds.length === 1) now.paused = kinds[0] === 'pause'
    }
    await Promise.all(turns)
  }

  // At rest: all events are delivered.
  for (let turn = 0; turn < 2; turn += 1) for (const { storage } of tabs) browser.tell(storage.at)
  await Promise.resolve()
  const fresh = open()
  const database = openDatabase(prefix)
  const facts = (client: LatchkeyClient) => JSON.parse(JSON.stringify(client.getSnapshot().accounts))
  for (const { client } of tabs) {
    expect(facts(client)).toEqual(facts(fresh.client))
    expect(client.getSnapshot().defaults).toEqual(fresh.client.getSnapshot().defaults)
  }
  expect(server.reused).toBe(0)
  for (const person of PEOPLE) {
    const account = accountOf(fresh.client, person)
    const { there, paused } = expected[person]!
    if (there !== undefined) expect({ person, there: account !== undefined }).toEqual({ person, there })
    if (!account) continue
    // Only disconnecting ends a grant, so no account needs to be reconnected.
    expect(['connected', 'paused']).toContain(account.status)
    if (paused !== undefined && there) expect(account.status).toBe(paused ? 'paused' : 'connected')
    await fresh.client.unpause(account.id)
    for (const { client, storage } of tabs) {
      browser.tell(storage.at)
      expect(server.isLive(await client.getToken({ accountId: account.id }))).toBe(true)
    }
  }
  for (const id of await database.keys('secrets')) {
    const row = await database.get<{ sealed: string | null }>('secrets', id)
    expect({ id, held: row?.sealed !== null }).toEqual({ id, held: id in fresh.client.getSnapshot().accounts })
  }
  const all = fresh.client.getSnapshot()
  expect(defaultAccount(all, 'acme') === undefined).toBe(Object.keys(all.accounts).length === 0)
  expect(server.reused).toBe(0)
  for (const { leave } of [...tabs, fresh]) leave()
}

it('no revoked token returns, no account is lost, each provider has one default, and in the end all tabs agree', async () => {
  await fc.assert(fc.asyncProperty(story, tell), { numRuns: Number(process.env.RUNS ?? 60) })
}, 120_000)
