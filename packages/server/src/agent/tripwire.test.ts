// Security cases Z, 210-212: What leaves a run. A release waits for 210.
import type { Identity, Provider } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { BROKER_HEADER } from '@latchkey/core/token'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { everythingAllowed } from '../../fixtures/run-accounts.ts'
import { createBroker } from '../index.ts'
import { localKeys, memoryStore } from '../vault/index.ts'
import { AgentContext, type RunAccounts } from './context.ts'

const SECRET = 'CANARY/a+b&c=1234567890'
const NEWER = 'CANARY_the_newer_token_9876'
const FORMS = {
  plain: SECRET,
  base64: btoa(SECRET),
  'base64 after other bytes': btoa(`x:${SECRET}`),
  'URL encoding': encodeURIComponent(SECRET),
  'JSON in JSON': JSON.stringify(JSON.stringify(SECRET)).slice(3, -3),
}
const LEAK = new RegExp(
  Object.values(FORMS)
    .flatMap((form) => [form.slice(4, -4), form.slice(0, 12)])
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('|'),
)
const held = (accessToken = SECRET): Identity => ({ provider: 'github', accessToken, accountId: 'github.ada' })

function contextOf(identities: Identity[] = [held()], accounts: Partial<RunAccounts> = {}) {
  const reports: number[] = []
  const context = AgentContext.fromIdentities(identities, {
    userId: 'ada',
    accounts: {
      ...everythingAllowed(new Map(), async () => undefined),
      reportLeak: async (count) => void reports.push(count),
      ...accounts,
    },
  })
  return { context, reports }
}

const utf8 = new TextEncoder()
const streamOf = <T>(chunks: readonly T[]) =>
  new ReadableStream<T>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
const responseOf = (chunks: readonly Uint8Array[], type: string) =>
  new Response(streamOf(chunks) as BodyInit, { headers: { 'content-type': type } })
async function* generatorOf<T>(chunks: readonly T[]) {
  yield* chunks
}
async function readAll<T>(source: AsyncIterable<T> | ReadableStream<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source as AsyncIterable<T>) all.push(one)
  return all
}
/** Two halves, wherever they are cut. */
const halves = (text: string) =>
  Array.from({ length: text.length - 1 }, (_, at) => [text.slice(0, at + 1), text.slice(at + 1)] as const)

describe.each(Object.entries(FORMS))('a secret as %s', (_, form) => {
  it('case 210: does not leave in a text, wherever it is split', async () => {
    for (const pieces of halves(`Your key: ${form}. Bye!`)) {
      const { context, reports } = contextOf()
      const bytes = pieces.map((piece) => utf8.encode(piece))
      const texts = [
        await (await context.respond(() => responseOf(bytes, 'text/plain'))).text(),
        (await readAll(await context.respond(() => streamOf(pieces)))).join(''),
        (await readAll(await context.respond(() => generatorOf(pieces)))).join(''),
      ]
      for (const text of texts) {
        expect(text).not.toMatch(LEAK)
        expect(text).toMatch(/^Your key: .{0,3}\[redacted\].*\. Bye!$/)
      }
      expect([reports, context.leaks]).toEqual([[1, 1, 1], 3])
    }
  })

  it('case 210: does not leave in an event stream, split over chunks or events', async () => {
    for (const [first, second] of halves(form)) {
      const deltas = ['Your key: ', first, second, '. Bye!']
      const lines = deltas.map((delta) => `data: ${JSON.stringify({ type: 'text-delta', id: 't1', delta })}\n\n`)
      const said = async (chunks: string[]) => {
        const { context, reports } = contextOf()
        const bytes = chunks.map((chunk) => utf8.encode(chunk))
        const text = await (await context.respond(() => responseOf(bytes, 'text/event-stream'))).text()
        expect(reports).toEqual([1])
        const events = text.split('\n\n').filter(Boolean)
        return events.map((line) => JSON.parse(line.slice(6)).delta ?? '').join('')
      }
      const whole = `data: ${JSON.stringify({ type: 'text-delta', id: 't1', delta: `Your key: ${form}. Bye!` })}\n\n`
      const at = whole.indexOf(JSON.stringify(first).slice(1, -1)) + first.length
      for (const text of [
        await said([...lines, 'data: {"type":"finish"}\n\n']),
        await said([whole.slice(0, at), whole.slice(at)]),
      ]) {
        expect(text).not.toMatch(LEAK)
        expect(text).toMatch(/^Your key: .{0,3}\[redacted\].*\. Bye!$/)
      }
    }
  })

  it('case 210: does not leave in the values of a generator or stream', async () => {
    for (const [first, second] of halves(form)) {
      const values = [
        { type: 'text-delta', id: 't1', delta: `Your key: ${first}` },
        { type: 'text-delta', id: 't1', delta: `${second}. Bye!` },
        { type: 'tool-output-available', toolCallId: 'c1', output: { list: [{ key: form }] } },
        { type: 'error', error: new Error(`failed with ${form}`) },
        { type: 'finish', id: form },
      ]
      for (const make of [generatorOf, streamOf]) {
        const { context, reports } = contextOf()
        const got = (await readAll<unknown>(await context.respond(() => make(values)))) as typeof values
        expect(got.map(({ type }) => type)).toEqual(values.map(({ type }) => type))
        expect(`${got[0]?.delta}${got[1]?.delta}`).toMatch(/^Your key: .{0,3}\[redacted\].*\. Bye!$/)
        expect(`${JSON.stringify(got)}${got[0]?.delta}${got[1]?.delta}${got[3]?.error?.message}`).not.toMatch(LEAK)
        expect(reports).toEqual([5])
      }
    }
  })

  it('case 211: is not in what is stored of a run', async () => {
    const { context, reports } = contextOf()
    const snapshot = { steps: [{ input: { q: `a ${form} b` } }], [`key ${form}`]: 1, at: null, done: true }
    const clean = await context.redact(snapshot)
    expect(JSON.stringify(clean)).not.toMatch(LEAK)
    expect(clean).toMatchObject({ at: null, done: true })
    const state = await context.redact(JSON.stringify(snapshot))
    expect(state).not.toMatch(LEAK)
    expect(JSON.parse(state)).toMatchObject({ at: null, done: true })
    expect([reports, context.leaks]).toEqual([[2, 2], 4])
    const harmless = { steps: [{ said: 'no secret' }] }
    expect(await context.redact(harmless)).toBe(harmless)
    expect(reports).toHaveLength(2)
  })
})

/** How a secret may be written. `before`: other bytes that base64 has in the same digits. */
const WAYS: readonly ((secret: string, before: string) => string)[] = [
  (secret) => secret,
  (secret, before) => btoa(`${before}${secret}`),
  (secret, before) => Buffer.from(`${before}${secret}${before}`).toString('base64url'),
  (secret) => encodeURIComponent(secret),
  (secret) => [...secret].map((one) => `%${one.charCodeAt(0).toString(16)}`).join(''),
  (secret) => Buffer.from(secret).toString('hex'),
  (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
]

it('case 210: no secret leaves, whatever it is, however it is written and wherever it is cut', async () => {
  const token = fc.string({
    unit: fc.constantFrom(...'abcXYZ0189-._~+/=&"'),
    minLength: 16,
    maxLength: 60,
  })
  const words = fc.string({ unit: fc.constantFrom(...'aZ 1%\\\n"é/+'), maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        secret: token,
        way: fc.nat(WAYS.length - 1),
        before: fc.constantFrom('', 'x', 'xy'),
        line: fc.constantFrom('', ' ', '\n', '\r\n  ', '\\n', '%0A'),
        width: fc.integer({ min: 1, max: 20 }),
        around: fc.tuple(words, words),
        cuts: fc.array(fc.nat(400), { maxLength: 12 }),
        isBytes: fc.boolean(),
      }),
      async ({ secret, way, before, line, width, around, cuts, isBytes }) => {
        const form = WAYS[way]?.(secret, before) ?? ''
        const said = form.match(new RegExp(`.{1,${width}}`, 'g'))?.join(line) ?? ''
        // Other words do not become part of an escape, or of base64 digits, of the secret.
        const text = `${around[0]} <${said}> ${around[1]}`
        const ends = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length]
        const pieces = ends.slice(1).map((end, at) => text.slice(ends[at], end))
        const { context, reports } = contextOf([held(secret)])
        const answer = isBytes
          ? await (
              await context.respond(() => responseOf([...pieces.map((one) => utf8.encode(one))], 'text/plain'))
            ).text()
          : (await readAll(await context.respond(() => streamOf(pieces)))).join('')
        const left = answer.replace(/\s|\\+[nr]|%0A/g, '')
        expect(left).not.toContain(form.replace(/\s|\\+[nr]|%0A/g, '').slice(4, -4))
        expect(answer).toContain('[redacted]')
        expect(reports).toHaveLength(1)
      },
    ),
    { numRuns: 150 },
  )
})

it('case 212: a secret that is renewed between its opening and its sending is found, and the new one too', async () => {
  const tokens = [SECRET, NEWER]
  const { context, reports } = contextOf([], {
    ...everythingAllowed(new Map([['github', 'github.ada']]), async () => held(tokens.shift())),
  })
  const answer = await context.respond(async function* () {
    yield 'start '
    const first = await AgentContext.current().getToken('github', { effect: 'read' })
    yield `a ${first.access_token.slice(0, 9)}`
    const second = await AgentContext.current().getToken('github', { effect: 'read', forceRefresh: true })
    yield `${first.access_token.slice(9)} b ${second.access_token.slice(0, 9)}`
    yield `${second.access_token.slice(9)} c`
  })
  expect((await readAll(answer)).join('')).toBe('start a [redacted] b [redacted] c')
  expect(await context.redact([SECRET, NEWER])).toEqual(['[redacted]', '[redacted]'])
  expect(reports).toEqual([2, 2])
})

describe('an answer without secrets', () => {
  const said =
    'data: {"type":"text-delta","delta":"CANARY/a é 😀 100% \\\\ CAN"}\r\n\n: ping\n\ndata: [DONE]\n\nnäh CANARY'

  it('is byte for byte what it was, wherever it is cut', async () => {
    const bytes = utf8.encode(said)
    for (const type of ['text/event-stream', 'text/plain; charset=utf-8', 'application/json', '']) {
      for (let at = 1; at < bytes.length; at++) {
        const { context, reports } = contextOf()
        const response = await context.respond(() => responseOf([bytes.slice(0, at), bytes.slice(at)], type))
        expect(Buffer.from(await response.arrayBuffer()).equals(bytes), `${type} cut at ${at}`).toBe(true)
        expect(reports).toEqual([])
      }
    }
  })

  it('has the same values, and a short secret or a public field is no leak', async () => {
    const acme: Provider = {
      id: 'acme',
      kind: 'api-key',
      name: 'Acme',
      apiBaseUrl: 'https://api.acme.example',
      fields: [{ name: 'email', label: 'Email' }],
    } as unknown as Provider
    const identity = { provider: 'acme', accessToken: 'short', fields: { email: 'ada.lovelace@example.com' } }
    const { context, reports } = contextOf([identity], { providers: [acme, github()] })
    const values = [{ type: 'data', said: 'short ada.lovelace@example.com' }, 7, null, { type: 'text', big: 1n }]
    const got = await readAll(await context.respond(() => generatorOf<unknown>(values)))
    expect(got).toEqual(values)
    expect(got[0]).toBe(values[0])
    expect(reports).toEqual([])
  })

  it('passes bytes that are not text', async () => {
    const { context, reports } = contextOf()
    for (const headers of [
      { 'content-type': 'image/png' },
      { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
    ]) {
      const response = await context.respond(() => new Response(SECRET, { headers: headers as HeadersInit }))
      expect(await response.text()).toBe(SECRET)
    }
    expect(reports).toEqual([])
  })
})

describe('a stream stays a stream', () => {
  it('gives its first chunk before its last is written, and reads nothing ahead', async () => {
    let pulled = 0
    async function* write() {
      for (const word of ['one ', 'two ', `three ${SECRET.slice(0, 8)}`, ' four']) {
        pulled += 1
        yield word
      }
    }
    const { context } = contextOf()
    const answer = await context.respond(() => write())
    for (const nth of [1, 2]) {
      await answer.next()
      expect(pulled).toBe(nth)
    }
    expect(await answer.next()).toEqual({ done: false, value: 'three ' })
    expect(await answer.next()).toEqual({ done: false, value: `${SECRET.slice(0, 8)} four` })
    expect(await answer.next()).toEqual({ done: true, value: undefined })
    expect(await answer.next()).toEqual({ done: true, value: undefined })
  })

  it('gives an event at once, while the model still writes', async () => {
    let write: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        write = controller
      },
    })
    const { context } = contextOf()
    const response = await context.respond(
      () => new Response(body as BodyInit, { headers: { 'content-type': 'text/event-stream', 'content-length': '9' } }),
    )
    expect(response.headers.get('content-length')).toBeNull()
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const event = 'data: {"type":"text-delta","delta":"Hello"}\n\n'
    write?.enqueue(utf8.encode(event))
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(event)
    write?.close()
    expect((await reader.read()).done).toBe(true)
  })

  it('ends its source when it is cancelled, and says then what it found', async () => {
    let reason: unknown
    const body = new ReadableStream<string>({
      start: (controller) => controller.enqueue(`a ${SECRET} b`),
      cancel(why) {
        reason = why
      },
    })
    const { context, reports } = contextOf()
    const reader = (await context.respond(() => body)).getReader()
    expect((await reader.read()).value).toBe('a [redacted] b')
    expect(reports).toEqual([])
    await reader.cancel('enough')
    expect([reason, reports]).toEqual(['enough', [1]])
  })

  it('fails as its source does, after what it said, without the secret', async () => {
    async function* fail() {
      yield 'said CANARY'
      throw new TypeError(`failed: ${SECRET}`)
    }
    const { context, reports } = contextOf()
    const answer = await context.respond(() => fail())
    expect([(await answer.next()).value, (await answer.next()).value]).toEqual(['said ', 'CANARY'])
    await expect(answer.next()).rejects.toMatchObject({ name: 'TypeError', message: 'failed: [redacted]' })
    expect(reports).toHaveLength(1)
  })
})

it('a person sees in their activity that a leak was blocked, and nothing of it', async () => {
  const store = memoryStore()
  const broker = createBroker<string>({
    providers: [github()],
    clients: { github: { client_id: 'app', client_secret: 'secret' } },
    authenticate: (request) => request.headers.get('cookie'),
    allowedOrigins: ['https://app.example'],
    agents: { assistant: { name: 'Assistant' } },
    oversight: { store, keys: localKeys(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')) },
  })
  const { context } = await broker.agentContext('ada', { identities: [held()] }, { agent: 'assistant' })
  const answer = await context.respond(() => new Response(`one ${SECRET} two ${SECRET}`))
  expect(await answer.text()).toBe('one [redacted] two [redacted]')
  const seen = async (cookie: string) => {
    const headers = { cookie, origin: 'https://app.example', [BROKER_HEADER]: '1' }
    return (await broker(new Request('https://app.example/api/latchkey/activity', { headers }))).json()
  }
  const { uses } = await seen('ada')
  expect(uses).toEqual([
    { seq: 1, at: expect.any(String), action: 'leak', agent: 'assistant', outcome: 'denied', reason: 'blocked' },
  ])
  expect((await seen('eve')).uses).toEqual([])
  broker.close()
  store.close()
})
