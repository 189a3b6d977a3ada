// @vitest-environment jsdom
import { type ConnectOutcome, createLatchkey, type LatchkeyClient, LatchkeyError, type Snapshot } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { ADA, GRACE, type Person, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { acme, failure } from '../../core/fixtures/acme.ts'
import { eventually, freshPage, openPopups, visitCallback } from '../../core/fixtures/page.ts'
import { createFakeClient, type FakeClient, fakeAccount } from './testing.ts'

let server: TinyServer
beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => server.reset())
afterEach(freshPage)

/** A client, and what the person does in the window of a connect. */
interface Page {
  client: LatchkeyClient
  signIn(person: Person): Promise<void>
  deny(): Promise<void>
  fail(): Promise<void>
  /** Makes the browser block windows. */
  block(): void
}

function realPage(): Page {
  const popups = openPopups()
  const client = createLatchkey({
    providers: [acme(server), kaggle()],
    broker: server.broker,
    redirectUri: '/callback',
  }) as LatchkeyClient
  const answer = async (person: Person, change?: Record<string, string | null>) => {
    visitCallback(server.approve(await popups.at(-1)!.at(), person, change))
  }
  return {
    client,
    signIn: (person) => answer(person),
    deny: () => answer(ADA, { code: null, error: 'access_denied' }),
    fail: () => answer(ADA, { code: null, error: 'server_error' }),
    block: () => void popups.open.mockReturnValue(null),
  }
}

function fakePage(): Page {
  const outcomes: Record<string, 'pending' | 'blocked'> = { acme: 'pending' }
  const client: FakeClient = createFakeClient({ providers: [acme(server), kaggle()], outcomes })
  const of = ({ preferred_username, name }: Person) =>
    fakeAccount({ provider: 'acme', username: preferred_username, name, scopes: ['read'] })
  return {
    client: client as LatchkeyClient,
    signIn: async (person) => client.settle('acme', of(person)),
    deny: async () => client.settle('acme', 'denied'),
    fail: async () => client.settle('acme', new LatchkeyError('server_error', 'It broke.', { next: 'retry' })),
    block: () => {
      outcomes.acme = 'blocked'
    },
  }
}

/** A snapshot without the facts that differ between the clients: ids, times and custody. */
function facts({ accounts, providers, defaults, requests, excluded, status }: Snapshot) {
  const name = (id: string) => accounts[id]?.username
  return {
    status,
    accounts: Object.values(accounts).map(({ provider, username, status, reason, scopes, missingScopes }) => {
      return { provider, username, status, reason, scopes, missingScopes }
    }),
    providers: Object.fromEntries(
      Object.entries(providers).map(([id, { status, reason, error, changed }]) => [
        id,
        { status, reason, error: error?.code, changed: changed && [changed.from.username, changed.to.username] },
      ]),
    ),
    defaults: Object.fromEntries(Object.entries(defaults).map(([id, account]) => [id, name(account)])),
    requests,
    excluded,
  }
}

const ended = (outcome: ConnectOutcome) =>
  outcome.status === 'connected' ? [outcome.status, outcome.account.username] : [outcome.status, outcome.next]

/** Steps for both clients. The result of each step, and the snapshot after it, must be the same. */
const steps: Record<string, (page: Page) => Promise<unknown>> = {
  'a connect is under way at once, and a second call joins it': async ({ client, signIn }) => {
    const first = client.connect('acme')
    const during = facts(client.getSnapshot())
    const second = client.connect('acme')
    await signIn(ADA)
    return [during, ended(await first), ended(await second)]
  },
  'the person says no': async ({ client, deny }) => {
    const outcome = client.connect('acme')
    await deny()
    return ended(await outcome)
  },
  'a connect is cancelled': async ({ client }) => {
    const outcome = client.connect('acme')
    client.cancel('acme')
    return ended(await outcome)
  },
  'the browser blocks the window': async ({ client, block }) => {
    block()
    return ended(await client.connect('acme'))
  },
  'a connect fails, and the next one clears that': async ({ client, fail, signIn }) => {
    const failed = failure(client.connect('acme'))
    await fail()
    const after = [(await failed).code, facts(client.getSnapshot())]
    const again = client.connect('acme')
    await signIn(ADA)
    return [after, ended(await again)]
  },
  'an account of a key': async ({ client }) => {
    const key = 'KGAT_0123456789abcdef'
    server.keys.set(key, { username: 'octocat' })
    return ended(await client.connectKey('kaggle', { key }))
  },
  'each verb has its providers': async ({ client }) =>
    Promise.all(
      [
        client.connect('kaggle'),
        client.connectKey('acme', { key: 'key' }),
        client.connect('other'),
        client.requestConnect({ type: 'authorization_required', provider: 'other' }),
        client.getToken('other'),
      ].map(async (call) => (await failure(call)).code),
    ),
  'an account is paused, and goes on': async ({ client, signIn }) => {
    const { id } = await connected(client, signIn)
    await client.pause(id)
    const paused = facts(client.getSnapshot())
    await client.unpause(id)
    return paused
  },
  'what is not there': async ({ client }) => {
    const calls = [client.getToken('acme'), client.getToken({ accountId: 'acme.x' }), client.reconnect('acme.x')]
    const codes = await Promise.all(calls.map(async (call) => (await failure<LatchkeyError>(call)).code))
    const nothing = await failure(client.resolveChange('acme', 'keep-both'))
    return [codes, nothing.code, await client.disconnect('acme.x')]
  },
  'an account is disconnected': async ({ client, signIn }) => {
    const { id } = await connected(client, signIn)
    return (await client.disconnect(id)).status
  },
  'a reconnect as the same person keeps the account': async ({ client, signIn }) => {
    const { id } = await connected(client, signIn)
    const outcome = client.reconnect(id)
    await signIn(ADA)
    return ended(await outcome)
  },
  'a reconnect as another person asks': async (page) => (await anotherPerson(page)).code,
  'both accounts are kept': async (page) => {
    await anotherPerson(page)
    return ended(await page.client.resolveChange('acme', 'keep-both'))
  },
  'the old account is replaced': async (page) => {
    await anotherPerson(page)
    return ended(await page.client.resolveChange('acme', 'replace'))
  },
  'nothing is changed': async (page) => {
    await anotherPerson(page)
    return ended(await page.client.resolveChange('acme', 'cancel'))
  },
  'a request is shown until an account answers it': async ({ client, signIn }) => {
    const answer = client.requestConnect({ type: 'authorization_required', provider: 'acme', scopes: ['read'] })
    await eventually(() => expect(client.getSnapshot().requests).toHaveLength(1))
    const shown = facts(client.getSnapshot())
    await connected(client, signIn)
    const again = await client.requestConnect({ type: 'authorization_required', provider: 'acme' })
    return [shown, await answer, again]
  },
  'a request is refused, and one is given up': async ({ client }) => {
    const end = new AbortController()
    const refused = client.requestConnect({ type: 'authorization_required', provider: 'acme' })
    const givenUp = client.requestConnect({ type: 'authorization_required', provider: 'kaggle' }, end)
    await eventually(() => expect(client.getSnapshot().requests).toHaveLength(2))
    client.cancelRequest('acme')
    end.abort()
    return [await refused, await givenUp]
  },
  'settings of an agent, and the default account': async ({ client, signIn }) => {
    const { id } = await connected(client, signIn)
    client.setDefault(id)
    client.setIncluded('agent', 'kaggle', false)
    client.setIncluded('agent', 'acme', false)
    client.setIncluded('agent', 'kaggle', true)
    return (await client.getIdentities({ agent: 'agent' })).length
  },
  'signing out forgets everything': async ({ client, signIn }) => {
    const { id } = await connected(client, signIn)
    client.setDefault(id)
    client.setIncluded('agent', 'acme', false)
    await client.signOut()
  },
  'listeners hear changes, and nothing else': async ({ client, signIn }) => {
    const heard = vi.fn()
    const before = client.getSnapshot()
    const stop = client.subscribe(heard)
    const quiet = [heard.mock.calls.length, client.getSnapshot() === before]
    const end = client.mount()
    client.mount()()
    const { id } = await connected(client, signIn)
    const told = heard.mock.calls.length > 0
    client.setProviders([...client.providers])
    stop()
    heard.mockClear()
    await client.pause(id)
    end()
    return [quiet, told, heard.mock.calls.length]
  },
}

async function connected(client: LatchkeyClient, signIn: Page['signIn']) {
  const outcome = client.connect('acme')
  await signIn(ADA)
  const end = await outcome
  if (end.status !== 'connected') throw new Error(`It was ${end.status}.`)
  return end.account
}

/** Grace signs in when Ada's account is reconnected. */
async function anotherPerson({ client, signIn }: Page): Promise<LatchkeyError> {
  const { id } = await connected(client, signIn)
  const outcome = failure(client.reconnect(id))
  await signIn(GRACE)
  return outcome
}

describe('the fake client does what the real one does', () => {
  test.each(Object.keys(steps))('%s', async (name) => {
    const run = async (page: Page) => [await steps[name]!(page), facts(page.client.getSnapshot())]
    const real = await run(realPage())
    await freshPage()
    server.reset()
    expect(await run(fakePage())).toEqual(real)
  })
})
