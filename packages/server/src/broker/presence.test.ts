// Security cases P, 215: Proof that the person is there. A release waits for 215.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AgentRequest, Answer, PresenceChallenge } from '@latchkey/core/agents'
import { BROKER_HEADER } from '@latchkey/core/token'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { createPasskey } from '../../fixtures/passkey.ts'
import {
  type AccountTool,
  ApprovalRequired,
  type Broker,
  createBroker,
  type PresenceHooks,
  withAccount,
} from '../index.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { createOverseer } from '../use/overseer.ts'
import { localKeys, memoryStore, type VaultStore, verifyWebhook, type WebhookOptions } from '../vault/index.ts'
import { type Passkey, passkeyConfirm } from './webauthn.ts'

const APP = 'https://app.example'
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000

const acme = providerAt('https://acme.example')
const ends: (() => unknown)[] = []
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(async () => {
  vi.useRealTimers()
  for (const end of ends.splice(0).reverse()) await end()
})

const erase: AccountTool = {
  ...{ provider: acme, toolName: 'erase', title: 'Delete a draft', effect: 'destructive', edit: ['draft'] },
}
const move: AccountTool = { provider: acme, toolName: 'move', title: 'Move money', effect: 'write', edit: ['amount'] }

/** What the app knows: who has which passkey. */
type People = Record<string, ReturnType<typeof createPasskey> | undefined>

const confirmOf = (people: People, needs?: PresenceHooks['needs']): PresenceHooks => ({
  ...passkeyConfirm({
    rpID: 'app.example',
    origin: APP,
    passkeys: ({ user }) => [people[user]?.passkey].filter((one): one is Passkey => one !== undefined),
    used({ user }, id, counter) {
      const passkey = people[user]?.passkey
      if (passkey?.id === id) passkey.counter = counter
    },
  }),
  ...(needs && { needs }),
})

interface Server {
  broker: Broker<string>
  call(route: string, body?: object, changed?: Record<string, string | undefined>): Promise<Response>
  ask<T>(route: string, body?: object, who?: string): Promise<T>
}

interface Kept {
  store?: VaultStore
  webhooks?: readonly WebhookOptions[]
  /** The app has a vault, and the page keeps the accounts all the same. */
  inVault?: boolean
}

function serve(confirm: PresenceHooks, { store = memoryStore(), webhooks = [], inVault }: Kept): Server {
  const kept = { store, keys: localKeys(KEY), webhooks }
  const broker = createBroker<string>({
    providers: [acme],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: (request) => request.headers.get('cookie'),
    allowedOrigins: [APP],
    agents: { assistant: { name: 'Assistant', tools: [erase, move] } },
    ...(inVault ? { vault: openVault(kept), custody: { acme: 'mediate' } } : { oversight: kept }),
    confirm,
  })
  ends.push(
    () => store.close(),
    () => broker.close(),
  )
  const call: Server['call'] = (route, body, changed) => {
    const headers = { origin: APP, cookie: 'ada', [BROKER_HEADER]: '1', 'content-type': 'application/json', ...changed }
    const known = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
    const sent = body && { method: 'POST', body: JSON.stringify(body) }
    return broker(new Request(`${APP}/api/latchkey/${route}`, { headers: known, ...sent }))
  }
  return {
    broker,
    call,
    async ask(route, body, who = 'ada') {
      const response = await call(route, body, { cookie: who })
      expect([route, response.status]).toEqual([route, 200])
      return response.json()
    },
  }
}

const passkeyOf = (people: People, user = 'ada') => {
  const found = people[user]
  if (!found) throw new Error(`${user} has no passkey.`)
  return found
}

/** An app with two people who have a passkey, and one who has none. */
function open({ needs, ...kept }: Kept & { needs?: PresenceHooks['needs'] } = {}) {
  const people: People = { ada: createPasskey('app.example'), eve: createPasskey('app.example') }
  const server = serve(confirmOf(people, needs), kept)
  const made: unknown[] = []
  /** What an agent does. It names its request, if its person is asked. */
  async function run(tool: AccountTool, input: object, about: { user?: string; run?: string; on?: Server } = {}) {
    const { user = 'ada', run = 'm1', on = server } = about
    const identities = [{ provider: 'acme', accessToken: 'CANARY_HELD', accountId: `acme.${'h'.repeat(22)}` }]
    const { context } = await on.broker.agentContext(user, { identities }, { agent: 'assistant', run, chat: 'c1' })
    const act = withAccount(tool, async (given: object, account) => {
      await account.getToken()
      made.push(given)
      return 'made'
    })
    return context
      .run(() => act(input, {}))
      .catch((error: unknown) => {
        if (error instanceof ApprovalRequired) return error.notice.request
        throw error
      })
  }
  /** Confirms an answer as its page does. */
  async function proofOf(
    id: string,
    answer: Answer,
    user = 'ada',
    gesture: { isVerified?: boolean; counter?: number } = {},
  ) {
    const challenge = await server.ask<PresenceChallenge>(`requests/${id}/challenge`, answer, user)
    if (challenge.presence !== 'asked') throw new Error(`It is ${challenge.presence}.`)
    const options = challenge.options as { challenge: string }
    return passkeyOf(people, user).assert(options, { origin: APP, ...gesture })
  }
  const stateOf = async (id: string, user = 'ada') =>
    (await server.ask<{ request: AgentRequest }>(`requests/${id}`, undefined, user)).request.state
  /** Refused, and nothing is lost. */
  async function expectRefused(id: string, answer: Answer, user = 'ada') {
    const response = await server.call(`requests/${id}`, answer, { cookie: user })
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_request' }])
    expect(await stateOf(id, user)).toBe('waiting')
    expect(made).toEqual([])
  }
  return { ...server, people, made, run, proofOf, stateOf, expectRefused }
}

const YES: Answer = { answer: 'yes' }
const DRAFT = { draft: 'r-1' }

describe('a yes to what cannot be undone', () => {
  it('needs a passkey, and is used once', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    expect(await app.ask('requests')).toMatchObject({ requests: [{ id, presence: 'needed' }] })
    await app.expectRefused(id, YES)
    const proof = await app.proofOf(id, YES)
    expect(await app.ask(`requests/${id}`, { ...YES, proof })).toMatchObject({ request: { state: 'approved' } })
    expect(await app.run(erase, DRAFT)).toBe('made')
    expect(app.made).toEqual([DRAFT])
    // A click that came twice is the same answer, and lets nothing more through.
    expect(await app.ask(`requests/${id}`, { ...YES, proof })).toMatchObject({ request: { state: 'approved' } })
    const again = await app.run(erase, DRAFT, { run: 'm2' })
    expect(await app.stateOf(again)).toBe('waiting')
    expect(app.made).toEqual([DRAFT])
  })

  it('is not needed for a no, nor for other calls', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    expect(await app.ask(`requests/${id}`, { answer: 'no' })).toMatchObject({ request: { state: 'denied' } })
    const write = await app.run(move, { amount: 5 })
    const { request } = await app.ask<{ request: AgentRequest }>(`requests/${write}`)
    expect(request).not.toHaveProperty('presence')
    expect(await app.ask(`requests/${write}/challenge`, YES)).toEqual({ presence: 'not-needed' })
    expect(await app.ask(`requests/${write}`, YES)).toMatchObject({ request: { state: 'approved' } })
  })

  it('case 215: passkey assertion of another digest', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    const other = await app.run(erase, DRAFT, { run: 'm2' })
    const chat: Answer = { answer: 'yes', lease: 'chat' }
    const changed: Answer = { answer: 'yes', args: { draft: 'r-2' } }
    // Made for one answer, sent with another one: other arguments, another lease, another request of the same call.
    const all: [asked: Answer, given: Answer][] = [
      [YES, changed],
      [changed, YES],
      [changed, { answer: 'yes', args: { draft: 'r-3' } }],
      [YES, chat],
      [chat, YES],
    ]
    for (const [asked, given] of all) {
      const proof = await app.proofOf(id, asked)
      await app.expectRefused(id, { ...given, proof })
      // It is gone, for the answer that it was made for too.
      await app.expectRefused(id, { ...asked, proof })
    }
    const proof = await app.proofOf(id, YES)
    await app.proofOf(other, YES)
    await app.expectRefused(other, { ...YES, proof })
    expect(await app.ask(`requests/${id}`, { ...YES, proof })).toMatchObject({ request: { state: 'approved' } })
    await app.expectRefused(other, { ...YES, proof })
  })

  it('counts with changed arguments, for these', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    const changed: Answer = { answer: 'yes', lease: 'once', args: { draft: 'r-2' } }
    const proof = await app.proofOf(id, changed)
    await app.ask(`requests/${id}`, { ...changed, proof })
    await app.run(erase, DRAFT)
    expect(app.made).toEqual([{ draft: 'r-2' }])
  })

  it('is refused without a finger, from another page, with a copied key, of another person, and for nonsense', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    await app.expectRefused(id, { ...YES, proof: await app.proofOf(id, YES, 'ada', { isVerified: false }) })
    const challenge = await app.ask<{ options: { challenge: string } }>(`requests/${id}/challenge`, YES)
    const elsewhere = passkeyOf(app.people).assert(challenge.options, { origin: 'https://evil.example' })
    await app.expectRefused(id, { ...YES, proof: elsewhere })
    const { options } = await app.ask<{ options: { challenge: string } }>(`requests/${id}/challenge`, YES)
    const eves = passkeyOf(app.people, 'eve').assert(options, { origin: APP })
    await app.expectRefused(id, { ...YES, proof: eves })
    await app.proofOf(id, YES)
    await app.expectRefused(id, { ...YES, proof: { id: passkeyOf(app.people).passkey.id } })
    passkeyOf(app.people).passkey.counter = 9
    await app.expectRefused(id, { ...YES, proof: await app.proofOf(id, YES, 'ada', { counter: 9 }) })
    const proof = await app.proofOf(id, YES, 'ada', { counter: 10 })
    await app.ask(`requests/${id}`, { ...YES, proof })
    expect(await app.run(erase, DRAFT)).toBe('made')
    expect(passkeyOf(app.people).passkey.counter).toBe(10)
  })

  it('is refused after two minutes, and in place of a newer one', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    const late = await app.proofOf(id, YES)
    vi.setSystemTime(START + 2 * MINUTE)
    await app.expectRefused(id, { ...YES, proof: late })
    const first = await app.proofOf(id, YES)
    const second = await app.proofOf(id, YES)
    await app.expectRefused(id, { ...YES, proof: first })
    await app.expectRefused(id, { ...YES, proof: second })
    expect(await app.ask(`requests/${id}`, { ...YES, proof: await app.proofOf(id, YES) })).toMatchObject({
      request: { state: 'approved' },
    })
  })

  it('is asked of nobody else, and by no other page', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    const route = `requests/${id}/challenge`
    const foreign = await app.call(route, YES, { cookie: 'eve' })
    const unknown = await app.call(`requests/${'x'.repeat(22)}/challenge`, YES, { cookie: 'eve' })
    expect([foreign.status, await foreign.text()]).toEqual([404, await unknown.text()])
    for (const forged of [{ origin: 'https://evil.example' }, { [BROKER_HEADER]: undefined }, { cookie: undefined }])
      expect((await app.call(route, YES, forged)).status).toBeGreaterThanOrEqual(401)
    expect((await app.call(route)).status).toBe(404)
  })

  it('tells who has no passkey so, and the request waits', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT, { user: 'bob' })
    expect(await app.ask(`requests/${id}/challenge`, YES, 'bob')).toEqual({ presence: 'not-enrolled' })
    await app.expectRefused(id, { ...YES, proof: {} }, 'bob')
  })

  it('is not asked for what cannot be answered any more', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    await app.ask(`requests/${id}`, { answer: 'no' })
    expect((await app.call(`requests/${id}/challenge`, YES)).status).toBe(400)
    expect(
      (await app.call(`requests/${await app.run(erase, DRAFT, { run: 'm2' })}/challenge`, { answer: 'no' })).status,
    ).toBe(400)
  })

  it('counts in another process that shares the store, and is verified in one', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-presence-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = path.join(folder, 'vault.db')
    const app = open({ store: sqliteStore(file) })
    const hooks = confirmOf(app.people)
    const verify = vi.fn(hooks.verify)
    const there = [1, 2].map(() => serve({ ...hooks, verify }, { store: sqliteStore(file) }))
    const id = await app.run(erase, DRAFT)
    const proof = await app.proofOf(id, YES)
    const answers = await Promise.all(there.map((one) => one.call(`requests/${id}`, { ...YES, proof })))
    expect(answers.map(({ status }) => status)).toContain(200)
    expect(verify).toHaveBeenCalledOnce()
    expect(await app.stateOf(id)).toBe('approved')
    expect(await app.run(erase, DRAFT)).toBe('made')
  })

  it('stands in the log, with what was not confirmed', async () => {
    const app = open()
    const id = await app.run(erase, DRAFT)
    await app.expectRefused(id, YES)
    const { uses } = await app.ask<{ uses: { action: string; outcome: string; reason?: string }[] }>('activity')
    expect(uses[0]).toMatchObject({ action: 'answer', outcome: 'failed', reason: 'not_confirmed', tool: 'acme/erase' })
  })
})

describe('an app that says itself what needs proof', () => {
  const isLarge: PresenceHooks['needs'] = ({ args }) => Number((args as { amount?: number }).amount) >= 100

  it('is asked about the arguments as they came, and as they will be sent', async () => {
    const app = open({ needs: isLarge })
    const small = await app.run(move, { amount: 5 })
    expect(await app.ask(`requests/${small}`)).toMatchObject({ request: { presence: 'if-changed' } })
    const raised: Answer = { answer: 'yes', args: { amount: 500 } }
    await app.expectRefused(small, raised)
    expect(await app.ask(`requests/${small}/challenge`, { answer: 'yes', args: { amount: 6 } })).toEqual({
      presence: 'not-needed',
    })
    const large = await app.run(move, { amount: 100 })
    expect(await app.ask(`requests/${large}`)).toMatchObject({ request: { presence: 'needed' } })
    // Also if it was changed to little.
    await app.expectRefused(large, { answer: 'yes', args: { amount: 1 } })
    await app.ask(`requests/${small}`, { ...raised, proof: await app.proofOf(small, raised) })
    await app.run(move, { amount: 5 })
    expect(app.made).toEqual([{ amount: 500 }])
  })
})

it('a challenge is for the account as it is connected now', async () => {
  const store = memoryStore()
  ends.push(() => store.close())
  const owner = { tenant: 'one', user: 'ada' }
  const put = async (rev: number, generation: number) => {
    const facts = JSON.stringify({ status: 'connected', subject: '1', generation, connectedAt: START })
    const row = { ...owner, provider: 'acme', account: 'acme.1', facts, sealed: new Uint8Array(1), kid: 'k1', rev }
    expect(await store.put(row, rev === 1 ? undefined : rev - 1)).toBe(true)
  }
  await put(1, 1)
  const confirm = { challenge: () => ({}), verify: () => true }
  const overseer = createOverseer({ store, keys: localKeys(KEY), confirm })
  const tool = { name: 'acme/erase', title: 'Erase', effect: 'destructive', version: 'v1' } as const
  const ruling = await overseer.judge({ owner, agents: ['scout'], account: 'acme.1', tool, args: DRAFT, run: 'r1' })
  if (ruling.word !== 'asking') throw new Error(`It is ${ruling.word}.`)
  const { id } = ruling.request
  expect(await overseer.challenge(owner, id, YES)).toEqual({ presence: 'asked', options: {} })
  await put(2, 2)
  await expect(overseer.answer(owner, id, { ...YES, proof: {} })).rejects.toThrow('connected again')
})

describe('the webhook of a new request', () => {
  const secret = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
  const receiver = () => {
    const got: { headers: Headers; body: string }[] = []
    const fetch: typeof globalThis.fetch = async (_url, init) => {
      got.push({ headers: new Headers(init?.headers), body: String(init?.body) })
      return new Response(null, { status: 204 })
    }
    return { got, hook: { url: 'https://hooks.example', secret, fetch, retryAfter: [] } satisfies WebhookOptions }
  }

  it.each([
    ['a vault', true],
    ['a store of requests', false],
  ])('of an app with %s says who is asked by whom, once, and nothing of what is asked', async (_, inVault) => {
    const { got, hook } = receiver()
    const app = open({ webhooks: [hook], inVault })
    const id = await app.run(erase, { draft: 'CANARY_ARGUMENT' })
    expect(await app.run(erase, { draft: 'CANARY_ARGUMENT' })).toBe(id)
    await vi.waitFor(() => expect(got).toHaveLength(1))
    const [{ headers, body } = { headers: new Headers(), body: '' }] = got
    const { data, ...event } = JSON.parse(body)
    expect(event).toEqual({ type: 'request.created', timestamp: new Date(START).toISOString() })
    expect(data).toEqual({
      ...{ tenant: 'default', user: 'ada', request: id, kind: 'approval', agent: 'assistant', provider: 'acme' },
      expiresAt: START + 24 * 60 * MINUTE,
    })
    expect(body).not.toMatch(/CANARY|Delete a draft|erase|hhhh/)
    expect(got).toHaveLength(1)
    expect(verifyWebhook(secret, headers, body)).toBe(true)
  })

  it('is sent after the request is stored, and not for one that is not', async () => {
    const store = memoryStore()
    ends.push(() => store.close())
    const told: string[] = []
    const keys = localKeys(KEY)
    const owner = { tenant: 'one', user: 'ada' }
    const facts = { provider: 'acme', generation: '1' }
    const call = { owner, agents: ['scout'] as [string], account: 'acme.1', facts, args: DRAFT, run: 'r1' }
    const broken = {
      asPerson: (...[who, now, work]: Parameters<VaultStore['asPerson']>) =>
        store.asPerson(who, now, async (rows) => {
          const result = await work(rows)
          if (who.user) throw new Error('The disk is full.')
          return result
        }),
    }
    const onAsked = (_: unknown, { id }: AgentRequest) => told.push(id)
    const failing = createOverseer({ store: broken as Pick<VaultStore, 'asPerson'>, keys, onAsked })
    await expect(failing.judge(call)).rejects.toThrow('full')
    expect(told).toEqual([])
    const overseer = createOverseer({ store, keys, onAsked })
    const ruling = await overseer.judge(call)
    expect(told).toEqual([ruling.word === 'asking' ? ruling.request.id : ''])
    await overseer.judge(call)
    expect(told).toHaveLength(1)
  })
})
