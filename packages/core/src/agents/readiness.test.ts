import { describe, expect, it } from 'vitest'
import { checkReadiness, planRun, type Readiness, type ReadinessOptions } from './index.ts'
import type { Agent, AgentTool, PersonRules } from './oversight.ts'
import type { Effect, Preset, Rule } from './rules.ts'

const NOW = 1_000_000
const MINUTE = 60_000
type Account = ReadinessOptions['accounts'][number]

const tool = (name: string, effect: Effect, scopes: string[] = []): AgentTool => ({
  ...{ name: `acme/${name}`, title: name, provider: 'acme', effect, version: '1', scopes },
})
const LIST = tool('list', 'read', ['read'])
const SEND = tool('send', 'write', ['read', 'write'])
const agents: Agent[] = [
  { id: 'helper', name: 'Helper', parent: 'chief', tools: [LIST, SEND] },
  { id: 'chief', name: 'Chief', tools: [] },
]
const account = (change: Partial<Account> = {}): Account => ({
  ...{ id: 'acme.1', provider: 'acme', scopes: ['read', 'write'], status: 'connected', renewable: true },
  ...change,
})
const yes = (change: Partial<Rule> = {}): Rule => ({
  ...{ id: '1', of: { provider: 'acme' }, subject: { effect: 'write' }, decision: 'allow' },
  ...change,
})
const person = (preset: Preset, rules: Rule[] = [], chief: Rule[] = []): PersonRules => ({
  agents: {
    helper: { accounts: {}, providers: { acme: preset }, rules },
    chief: { accounts: {}, providers: { acme: chief.length > 0 ? 'ask-before-changes' : 'trusted' }, rules: chief },
  },
  stopped: { agents: {}, accounts: {} },
})
const trusted = person('trusted')
const asking = person('ask-before-changes')

const words = ({ account = 'none', tool, state, missingScopes, endsAt, depends }: Readiness) =>
  [
    `${account} ${tool.replace('acme/', '')} ${state}`,
    missingScopes && `needs ${missingScopes}`,
    endsAt !== undefined && `at ${(endsAt - NOW) / MINUTE}`,
    depends && 'depends',
  ]
    .filter(Boolean)
    .join(', ')

describe('each tool with each account', () => {
  const short = { renewable: false, expiresAt: NOW + 5 * MINUTE }
  const minutes = (count: number) => ({ duration: count * MINUTE })
  const until = (count: number) => ({ until: NOW + count * MINUTE })
  it.each<[what: string, rules: PersonRules, accounts: Account[], change: Partial<ReadinessOptions>, states: string[]]>(
    [
      ['ready', trusted, [account()], {}, ['acme.1 list ok', 'acme.1 send ok']],
      ['no account', trusted, [account({ provider: 'other' })], {}, ['none list missing', 'none send missing']],
      ['no account, and none would be allowed', person('off'), [], {}, ['none list never', 'none send never']],
      [
        'to be connected again',
        trusted,
        [account({ status: 'needs-reconnect' })],
        {},
        ['acme.1 list missing', 'acme.1 send missing'],
      ],
      ['paused', trusted, [account({ status: 'paused' })], {}, ['acme.1 list never', 'acme.1 send never']],
      [
        'fewer scopes',
        asking,
        [account({ scopes: ['read'] })],
        {},
        ['acme.1 list ok', 'acme.1 send narrower, needs write'],
      ],
      ['asks', asking, [account()], {}, ['acme.1 list ok', 'acme.1 send asks']],
      ['never', person('read-only'), [account()], {}, ['acme.1 list ok', 'acme.1 send never']],
      [
        'two accounts, one tool',
        trusted,
        [account(), account({ id: 'acme.2', scopes: [] })],
        { tools: ['acme/list'] },
        ['acme.1 list ok', 'acme.2 list narrower, needs read'],
      ],
      [
        'a token that ends before the run does',
        trusted,
        [account(short)],
        minutes(5),
        ['acme.1 list ends-early, at 5', 'acme.1 send ends-early, at 5'],
      ],
      ['a token that ends after the run', trusted, [account(short)], minutes(4), ['acme.1 list ok', 'acme.1 send ok']],
      [
        'a token that is renewed',
        trusted,
        [account({ ...short, renewable: true })],
        minutes(60),
        ['acme.1 list ok', 'acme.1 send ok'],
      ],
      [
        'a token that ends, and a question before that',
        asking,
        [account(short)],
        minutes(5),
        ['acme.1 list ends-early, at 5', 'acme.1 send ends-early, at 5'],
      ],
      [
        'a yes that ends before the run does',
        person('ask-before-changes', [yes(until(3))]),
        [account()],
        minutes(3),
        ['acme.1 list ok', 'acme.1 send ends-early, at 3'],
      ],
      [
        'a yes that ends after the run',
        person('ask-before-changes', [yes(until(3))]),
        [account()],
        minutes(2),
        ['acme.1 list ok', 'acme.1 send ok'],
      ],
      [
        'a yes that another one outlasts',
        person('ask-before-changes', [yes(until(1)), yes({ id: '2', ...until(2) }), yes({ id: '3', ...until(9) })]),
        [account()],
        minutes(5),
        ['acme.1 list ok', 'acme.1 send ok'],
      ],
      [
        'the yes of the parent ends first',
        person('trusted', [yes()], [yes(until(2))]),
        [account()],
        minutes(5),
        ['acme.1 list ok', 'acme.1 send ends-early, at 2'],
      ],
      [
        'the token ends before the yes does',
        person('ask-before-changes', [yes(until(3))]),
        [account({ ...short, expiresAt: NOW + MINUTE })],
        minutes(9),
        ['acme.1 list ends-early, at 1', 'acme.1 send ends-early, at 1'],
      ],
      [
        'a yes that is over',
        person('ask-before-changes', [yes(until(0))]),
        [account()],
        minutes(5),
        ['acme.1 list ok', 'acme.1 send asks'],
      ],
      [
        'a no for some arguments',
        person('trusted', [yes({ decision: 'never', when: { to: { equals: 'x' } } })]),
        [account()],
        {},
        ['acme.1 list ok', 'acme.1 send ok, depends'],
      ],
      [
        'noes that are over',
        person('trusted', [
          yes({ decision: 'never', ...until(-2) }),
          yes({ id: '2', decision: 'never', ...until(-1) }),
        ]),
        [account()],
        minutes(5),
        ['acme.1 list ok', 'acme.1 send ok'],
      ],
      [
        'ids that are names of what every object has',
        asking,
        [account({ id: 'constructor' })],
        { agent: 'toString', agents: [{ id: 'toString', name: 'T', parent: 'valueOf', tools: [LIST, SEND] }] },
        ['constructor list ok', 'constructor send asks'],
      ],
      ['no tools', trusted, [account()], { tools: [] }, []],
      ['an agent that is not listed', trusted, [account()], { agent: 'other' }, []],
    ],
  )('%s', (_what, rules, accounts, change, states) => {
    const found = checkReadiness({ agents, agent: 'helper', rules, accounts, now: NOW, ...change })
    expect(found.map(words)).toEqual(states)
  })
})

it('says which rule is in the way', () => {
  const [, send] = checkReadiness({ agents, agent: 'helper', rules: asking, accounts: [account()], now: NOW })
  expect(send).toEqual({
    ...{ tool: 'acme/send', provider: 'acme', account: 'acme.1', state: 'asks' },
    because: { by: 'preset', preset: 'ask-before-changes' },
  })
})

it('a tool that the agent does not have is a mistake of the app', () => {
  const check = () =>
    checkReadiness({ agents, agent: 'helper', rules: trusted, accounts: [], now: NOW, tools: ['acme/other'] })
  expect(check).toThrow(expect.objectContaining({ code: 'misuse' }))
})

describe('a run that nobody waits for', () => {
  const plan = (rules: PersonRules, accounts: Account[], policy?: Parameters<typeof planRun>[1]) => {
    const { word, missing } = planRun(checkReadiness({ agents, agent: 'helper', rules, accounts, now: NOW }), policy)
    return [word, ...missing.map(words)]
  }
  it.each<[what: string, rules: PersonRules, accounts: Account[], missing: string[]]>([
    ['with all that it needs', trusted, [account()], []],
    ['of which one account is enough', trusted, [account({ id: 'acme.0', status: 'needs-reconnect' }), account()], []],
    ['that would be asked', asking, [account()], ['acme.1 send asks']],
    ['without an account', trusted, [], ['none list missing', 'none send missing']],
    ['that lacks a scope', trusted, [account({ scopes: ['read'] })], ['acme.1 send narrower, needs write']],
  ])('%s starts by its policy', (_, rules, accounts, missing) => {
    expect(plan(rules, accounts)).toEqual([missing.length > 0 ? 'skip' : 'run', ...missing])
    expect(plan(rules, accounts, 'warn')).toEqual(['run', ...missing])
    expect(plan(rules, accounts, 'run')).toEqual(['run'])
  })
})
