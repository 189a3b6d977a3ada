// The routes of a person, asked of a real server.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOversight } from './client.ts'
import type { Activity, Agent, AgentRequest, Oversight, PersonRules, StopReceipt } from './oversight.ts'
import type { Because } from './rules.ts'

const sent: { route: string; header: unknown; body: unknown }[] = []
let status = 200
let answer: unknown

const server = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { method, url, headers } = request
  sent.push({ route: `${method} ${url}`, header: headers['latchkey-request'], body: body && JSON.parse(body) })
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
})
let oversight: Oversight

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  oversight = createOversight({ broker: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api` })
})
afterAll(() => server.close())
beforeEach(() => {
  sent.length = 0
  status = 200
})

const agent: Agent = {
  id: 'helper',
  name: 'Helper',
  parent: 'chief',
  providers: ['github'],
  tools: [
    {
      name: 'github/create_issue',
      title: 'Open an issue',
      provider: 'github',
      effect: 'write',
      version: 'v1',
      scopes: ['repo'],
      edit: ['title'],
    },
    { name: 'github/list_issues', title: 'List issues', provider: 'github', effect: 'read', version: 'v1' },
  ],
}
const rules: PersonRules = {
  agents: { helper: { accounts: { 'github.a': 'trusted' }, providers: {}, rules: [] } },
  stopped: { agents: { chief: 5 }, accounts: {} },
}
const request: AgentRequest = {
  id: 'r1',
  agent: 'helper',
  account: 'github.a',
  provider: 'github',
  tool: { name: 'github/create_issue', title: 'Open an issue', effect: 'write', version: 'v1', edit: ['title'] },
  args: { title: 'Hello', labels: [1, null] },
  createdAt: 1,
  expiresAt: 2,
  state: 'waiting',
  because: { by: 'preset', preset: 'ask-before-changes' },
  leases: ['once', 'chat', 'hour', 'always'],
  mayHaveHappened: true,
  withdrawn: true,
  edited: { title: 'Hi' },
}
const receipt: StopReceipt = {
  denied: 1,
  ended: 0,
  aborted: [{ agent: 'helper', account: 'github.a', tool: 'github/create_issue', effect: 'write' }],
}
const use: Activity = {
  seq: 7,
  at: '2026-01-01T00:00:00Z',
  agent: 'helper',
  tool: 'github/list_issues',
  provider: 'github',
  account: 'github.a',
  host: 'api.github.com',
  effect: 'read',
  decision: 'allow',
  rule: 'rule:e1',
  request: 'r1',
  edited: 'title',
  outcome: 'denied',
  reason: 'rule',
  action: 'use',
}
const verdict = { ok: false, entries: 0, since: '2026-01-01T00:00:00Z' }
const lastUses = { uses: [{ account: 'github.a', agent: 'helper', tool: 'github/list_issues', at: 5 }], since: 1 }
const bare = { seq: 7, at: '2026-01-01T00:00:00Z', outcome: 'allowed', action: 'use' }

describe('each call is one request, and its answer is read', () => {
  const change = { agent: 'helper', of: { account: 'github.a' }, preset: 'off' } as const
  const yes = { answer: 'yes', lease: 'chat' } as const
  const page = { before: 9, limit: 50, agent: 'a&b', account: undefined }
  const target = { everything: true } as const
  const calls: [route: string, body: unknown, answer: object, run: () => Promise<unknown>, result: unknown][] = [
    ['GET agents', '', { agents: [agent] }, () => oversight.agents(), [agent]],
    ['GET rules', '', { rules }, () => oversight.rules(), rules],
    ['POST rules', change, { rules }, () => oversight.change(change), rules],
    ['GET requests', '', { requests: [request] }, () => oversight.requests(), [request]],
    ['GET requests/r1', '', { request }, () => oversight.request('r1'), request],
    ['GET requests/..%2Fstop', '', { request }, () => oversight.request('../stop'), request],
    ['POST requests/r%2F1', yes, { request }, () => oversight.answer('r/1', yes), request],
    ['POST stop', target, receipt, () => oversight.stop(target), receipt],
    ['POST resume', { agent: 'helper' }, { rules }, () => oversight.resume({ agent: 'helper' }), rules],
    ['GET activity', '', { uses: [use, bare], next: 7 }, () => oversight.activity(), { uses: [use, bare], next: 7 }],
    ['GET activity?before=9&limit=50&agent=a%26b', '', { uses: [] }, () => oversight.activity(page), { uses: [] }],
    ['POST activity/verify', {}, { ...verdict, head: 'x' }, async () => oversight.verify?.(), verdict],
    ['GET activity/last', '', lastUses, async () => oversight.lastUses?.(), lastUses],
  ]
  it.each(calls)('%s', async (route, body, said, run, result) => {
    answer = said
    expect(await run()).toEqual(result)
    expect(sent).toEqual([{ route: route.replace(' ', ' /api/'), header: '1', body }])
  })

  it.each<Because>([
    { by: 'paused' },
    { by: 'stopped', what: 'agent' },
    { by: 'unknown', what: 'version' },
    { by: 'rule', rule: { id: '1', of: { provider: 'github' }, subject: { effect: 'write' }, decision: 'ask' } },
  ])('a request because of %j', async (because) => {
    answer = { request: { ...request, because } }
    expect(await oversight.request('r1')).toEqual({ ...request, because })
  })

  it('members that are not known are left out, and arguments that are absent are none', async () => {
    const { args: _, ...without } = request
    answer = { request: { ...without, html: '<b>', because: { by: 'paused', more: 1 } }, more: 1 }
    expect(await oversight.request('r1')).toEqual({ ...request, args: null, because: { by: 'paused' } })
  })
})

it('a challenge is asked for with the answer that it is for', async () => {
  const yes = { answer: 'yes', args: { title: 'Hi' } } as const
  for (const said of [{ presence: 'asked', options: { challenge: 'AAAA' } }, { presence: 'not-enrolled' }]) {
    answer = { ...said, more: 1 }
    expect(await oversight.challenge('r1', yes)).toEqual(said)
  }
  expect(sent[0]).toEqual({ route: 'POST /api/requests/r1/challenge', header: '1', body: yes })
})

describe('an answer that is not understood as a whole is refused', () => {
  const many = (count: number) => Array.from({ length: count }, () => ({ id: 'a', name: 'A', tools: [] }))
  const ofRequest = (change: object) => ({ request: { ...request, ...change } })
  const cases: [what: string, answer: unknown, run: () => Promise<unknown>][] = [
    ['no object', [agent], () => oversight.agents()],
    ['no list', { agents: { 0: agent } }, () => oversight.agents()],
    ['a list with a hole', { agents: [agent, null] }, () => oversight.agents()],
    ['a list that is too long', { agents: many(1001) }, () => oversight.agents()],
    [
      'a tool without an effect',
      { agents: [{ ...agent, tools: [{ ...agent.tools[0], effect: undefined }] }] },
      () => oversight.agents(),
    ],
    [
      'a tool with another effect',
      { agents: [{ ...agent, tools: [{ ...agent.tools[0], effect: 'none' }] }] },
      () => oversight.agents(),
    ],
    [
      'scopes that are text',
      { agents: [{ ...agent, tools: [{ ...agent.tools[0], scopes: 'repo' }] }] },
      () => oversight.agents(),
    ],
    ['a parent that is null', { agents: [{ ...agent, parent: null }] }, () => oversight.agents()],
    ['an id that every object has', { agents: [{ ...agent, id: 'constructor' }] }, () => oversight.agents()],
    ['no rules', {}, () => oversight.rules()],
    [
      'another preset',
      { rules: { ...rules, agents: { a: { accounts: { b: 'all' }, providers: {}, rules: [] } } } },
      () => oversight.rules(),
    ],
    ['no request', { request: null }, () => oversight.request('r1')],
    ['a number for an id', ofRequest({ id: 1 }), () => oversight.request('r1')],
    ['a time that is text', ofRequest({ expiresAt: '2' }), () => oversight.request('r1')],
    ['another state', ofRequest({ state: 'open' }), () => oversight.answer('r1', { answer: 'no' })],
    ['another lease', ofRequest({ leases: ['forever'] }), () => oversight.request('r1')],
    ['a cause of nobody', ofRequest({ because: { by: 'toString' } }), () => oversight.request('r1')],
    ['a cause without its rule', ofRequest({ because: { by: 'rule' } }), () => oversight.request('r1')],
    ['another need of proof', ofRequest({ presence: 'maybe' }), () => oversight.request('r1')],
    ['a challenge of another kind', { presence: 'later' }, () => oversight.challenge('r1', { answer: 'yes' })],
    ['a challenge without options', { presence: 'asked' }, () => oversight.challenge('r1', { answer: 'yes' })],
    ['a doubt that is text', ofRequest({ mayHaveHappened: 'false' }), () => oversight.request('r1')],
    ['a receipt without what was aborted', { denied: 0, ended: 0 }, () => oversight.stop({ agent: 'a' })],
    ['a use without an outcome', { uses: [{ ...use, outcome: undefined }] }, () => oversight.activity()],
    ['a verdict that is text', { ok: 'true', entries: 1 }, async () => oversight.verify?.()],
    ['a last use without an account', { uses: [{ agent: 'helper', at: 5 }] }, async () => oversight.lastUses?.()],
    ['a use at no time', { uses: [{ ...use, at: 'soon' }] }, () => oversight.activity()],
    ['a cursor that is text', { uses: [], next: '7' }, () => oversight.activity()],
  ]
  it.each(cases)('%s', async (_what, said, run) => {
    answer = said
    await expect(run()).rejects.toMatchObject({ code: 'malformed_response', source: 'app' })
  })

  it('a list of a thousand is read', async () => {
    answer = { agents: many(1000) }
    expect(await oversight.agents()).toHaveLength(1000)
  })
})

it("the broker's no is told with its code and words", async () => {
  status = 403
  answer = { error: 'access_denied', message: 'This is for somebody else.' }
  await expect(oversight.request('r1')).rejects.toMatchObject({
    code: 'access_denied',
    message: 'This is for somebody else.',
  })
})

it.each(['', '.', '..'])('an id that would lead to another route is not asked for: %j', async (id) => {
  await expect(oversight.request(id)).rejects.toMatchObject({ code: 'access_denied' })
  await expect(oversight.answer(id, { answer: 'yes' })).rejects.toMatchObject({ code: 'access_denied' })
  expect(sent).toEqual([])
})
