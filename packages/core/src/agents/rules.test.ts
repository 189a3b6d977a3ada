// Security cases V, 186-190, 213, 214, 373: What a person's rules decide. A release waits for 188, 189, 190, 213, 214, 373.
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { type Comparison, type Conditions, holds } from './conditions.ts'
import { decide, presetFor } from './index.ts'
import { type PresetChoice, withPreset } from './presets.ts'
import { readAgentRules, readPersonRules } from './read-rules.ts'
import type { Rule, RuledCall, Verdict } from './rules.ts'
import { type AgentRules, type Because, BY_FREEDOM, type Decision, type Effect, PRESETS, type Preset } from './rules.ts'

const NOW = 1_900_000_000_000
const SEND = 'acme/send'
const STRICTNESS = { allow: 0, ask: 1, never: 2 }

const account = { id: 'acme.1', provider: 'acme' }
const calls = (effect: Effect, other: Partial<RuledCall> = {}): RuledCall => ({
  account,
  tool: { name: SEND, version: '1', effect },
  ...other,
})
const read = calls('read')
const write = calls('write')
const destroy = calls('destructive')
const undeclared: RuledCall = { account }
const version2 = calls('write', { tool: { name: SEND, version: '2', effect: 'write' } })
const withArgs = (args: unknown) => calls('write', { args })
/** A tool that a server offers, and that the app does not declare. */
const found = ({ tool, ...call }: RuledCall, name = SEND): RuledCall => ({
  ...call,
  tool: { version: '1', effect: 'write', ...tool, name, found: true },
})
const inChat = (call: RuledCall) => ({ ...call, chat: 'c' })

/** Rules of one agent, with a preset for the account. */
const agent = (preset: Preset | undefined, rules: Rule[] = [], other: Partial<AgentRules> = {}): AgentRules => ({
  accounts: preset ? { [account.id]: preset } : {},
  providers: {},
  rules,
  ...other,
})
const rule = (decision: Decision, subject: Rule['subject'] = '*', other: Partial<Rule> = {}): Rule => ({
  id: decision,
  of: { account: account.id },
  subject,
  decision,
  ...other,
})
const tool = { tool: SEND, version: '1' }
const byProvider = { of: { provider: 'acme' } }
const max100: Conditions = { amount: { max: 100 } }
const min100: Conditions = { amount: { min: 100 } }
const toAcme: Conditions = { to: { endsWith: '@acme.com' } }

function words(because: Because): string {
  if (because.by === 'rule') return `rule ${because.rule.id}`
  if (because.by === 'preset') return because.preset
  return because.by === 'paused' ? 'paused' : `${because.by} ${because.what}`
}
const say = ({ decision, because, agent }: Verdict) => `${decision}: ${words(because)}${agent ? ` of ${agent}` : ''}`

type Row = [title: string, call: RuledCall, agents: AgentRules | [AgentRules, ...AgentRules[]], verdict: string]
const check = (call: RuledCall, agents: Row[2], verdict: string, now = NOW) =>
  expect(say(decide(call, Array.isArray(agents) ? agents : [agents], now))).toBe(verdict)

describe('step 1: stopped', () => {
  const all = [rule('allow')]
  test.each<Row>([
    ['a paused account', calls('read', { account: { ...account, paused: true } }), agent('trusted'), 'never: paused'],
    [
      'a paused account, with a rule that allows',
      { account: { ...account, paused: true } },
      agent('trusted', all),
      'never: paused',
    ],
    ['a stopped account', calls('read', { stopped: 'account' }), agent('trusted', all), 'never: stopped account'],
    [
      'everything stopped',
      calls('read', { stopped: 'everything' }),
      agent('trusted', all),
      'never: stopped everything',
    ],
    ['a stopped agent', read, agent('trusted', all, { stopped: true }), 'never: stopped agent'],
    [
      'a stopped parent',
      read,
      [agent('trusted'), agent('trusted', all, { stopped: true })],
      'never: stopped agent of 1',
    ],
    ['off', read, agent('off'), 'never: off'],
    ['off, with a rule that allows', read, agent('off', all), 'never: off'],
    ['off, with a rule that asks', write, agent('off', [rule('ask')]), 'never: off'],
    ['off by the provider', read, agent(undefined, all, { providers: { acme: 'off' } }), 'never: off'],
    [
      'off for another provider',
      read,
      agent(undefined, [], { providers: { other: 'off' } }),
      'allow: ask-before-changes',
    ],
    [
      'off by the provider, and not for this account',
      read,
      agent('read-only', [], { providers: { acme: 'off' } }),
      'allow: read-only',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))
})

describe('step 2: never', () => {
  test.each<Row>([
    [
      'case 188: never of the provider beside an allow of this tool',
      write,
      agent('trusted', [rule('allow', tool), rule('never', '*', byProvider)]),
      'never: rule never',
    ],
    [
      'case 188: never of all beside an allow of the effect',
      read,
      agent('trusted', [rule('never'), rule('allow', { effect: 'read' })]),
      'never: rule never',
    ],
    [
      'case 188: never of the effect beside an allow with conditions',
      withArgs({ amount: 1 }),
      agent('trusted', [rule('allow', tool, { when: max100 }), rule('never', { effect: 'write' }, byProvider)]),
      'never: rule never',
    ],
    [
      'case 188: never beside an ask of this tool',
      write,
      agent('trusted', [rule('ask', tool), rule('never', '*', byProvider)]),
      'never: rule never',
    ],
    [
      'case 188: never beside an allow in this chat',
      inChat(write),
      agent('trusted', [rule('allow', tool, { chat: 'c' }), rule('never')]),
      'never: rule never',
    ],
    ['never of a tool holds for every version', version2, agent('trusted', [rule('never', tool)]), 'never: rule never'],
    [
      'never of a tool holds for a version that nobody has seen',
      version2,
      agent('trusted', [rule('never', tool)], { seen: { [SEND]: ['1'] } }),
      'never: rule never',
    ],
    [
      'never of writes holds for an undeclared tool',
      undeclared,
      agent('trusted', [rule('never', { effect: 'write' })]),
      'never: rule never',
    ],
    [
      'never of reads does not hold for an undeclared tool',
      undeclared,
      agent('trusted', [rule('never', { effect: 'read' })]),
      'ask: unknown tool',
    ],
    [
      'never of another tool',
      write,
      agent('trusted', [rule('never', { tool: 'acme/delete', version: '1' })]),
      'allow: trusted',
    ],
    [
      'never of an equal name of another server',
      write,
      agent('trusted', [rule('never', { tool: 'other/send', version: '1' })]),
      'allow: trusted',
    ],
    [
      'never of another account',
      write,
      agent('trusted', [rule('never', '*', { of: { account: 'acme.2' } })]),
      'allow: trusted',
    ],
    [
      'never of another provider',
      write,
      agent('trusted', [rule('never', '*', { of: { provider: 'other' } })]),
      'allow: trusted',
    ],
    ['never in another chat', inChat(write), agent('trusted', [rule('never', '*', { chat: 'd' })]), 'allow: trusted'],
    [
      'never with conditions that hold',
      withArgs({ amount: 100 }),
      agent('trusted', [rule('never', tool, { when: min100 })]),
      'never: rule never',
    ],
    [
      'never with conditions that do not hold',
      withArgs({ amount: 99 }),
      agent('trusted', [rule('never', '*', { when: min100 })]),
      'allow: trusted',
    ],
    [
      'never with a condition on an absent argument',
      withArgs({}),
      agent('trusted', [rule('never', '*', { when: min100 })]),
      'never: rule never',
    ],
    [
      'never with conditions, and no arguments',
      write,
      agent('trusted', [rule('never', '*', { when: min100 })]),
      'never: rule never',
    ],
    [
      'of two nevers the more specific is named',
      write,
      agent('trusted', [rule('never', '*', { id: 'all' }), rule('never', tool, { id: 'one' })]),
      'never: rule one',
    ],
    [
      "a preset's own never yields to a rule that allows",
      write,
      agent('read-only', [rule('allow', tool)]),
      'allow: rule allow',
    ],
    [
      "a preset's own never yields to a rule that asks",
      write,
      agent('read-only', [rule('ask', { effect: 'write' })]),
      'ask: rule ask',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))
})

describe('step 3: unknown', () => {
  const seen = { [SEND]: ['1'] }
  test.each<Row>([
    ['an undeclared tool', undeclared, agent('trusted'), 'ask: unknown tool'],
    [
      'an undeclared tool, with rules that allow',
      undeclared,
      agent('trusted', [rule('allow'), rule('allow', { effect: 'write' })]),
      'ask: unknown tool',
    ],
    ['an undeclared tool, with no preset', undeclared, agent(undefined), 'ask: unknown tool'],
    ['an undeclared tool, read only', undeclared, agent('read-only'), 'never: read-only'],
    [
      'an undeclared tool, read only, with a rule that allows',
      undeclared,
      agent('read-only', [rule('allow')]),
      'never: read-only',
    ],
    [
      'case 186: a tool that says it reads, and nobody has seen',
      found(read),
      agent('ask-before-changes', [], { seen: {} }),
      'ask: unknown tool',
    ],
    [
      'case 186: a tool that now says it reads',
      calls('read', { tool: { name: SEND, version: '2', effect: 'read' } }),
      agent('trusted', [rule('allow', { effect: 'read' })], { seen }),
      'ask: unknown version',
    ],
    [
      'case 187: a new tool of a known server',
      found(calls('write'), 'acme/new'),
      agent('trusted', [], { seen }),
      'ask: unknown tool',
    ],
    [
      'case 187: a new tool, with rules that allow',
      found(calls('read'), 'acme/new'),
      agent('trusted', [rule('allow'), rule('allow', tool)], { seen }),
      'ask: unknown tool',
    ],
    [
      'case 187: a new tool by a name that every object has',
      found(calls('read'), 'constructor'),
      agent('trusted', [], { seen }),
      'ask: unknown tool',
    ],
    [
      'a new tool that writes, read only',
      found(calls('write'), 'acme/new'),
      agent('read-only', [], { seen }),
      'never: read-only',
    ],
    [
      'a new tool that reads, read only',
      found(calls('read'), 'acme/new'),
      agent('read-only', [], { seen }),
      'ask: unknown tool',
    ],
    [
      'a new tool that the app declares',
      calls('write', { tool: { name: 'acme/new', version: '1', effect: 'write' } }),
      agent('trusted', [], { seen }),
      'allow: trusted',
    ],
    ['a version that was seen', write, agent('trusted', [], { seen }), 'allow: trusted'],
    [
      'a version that was seen, of several',
      version2,
      agent('trusted', [], { seen: { [SEND]: ['1', '2'] } }),
      'allow: trusted',
    ],
    ['every version, where none is written down', version2, agent('trusted'), 'allow: trusted'],
    [
      'case 214: another version under an allowed name',
      version2,
      agent('ask-before-changes', [rule('allow', tool)], { seen }),
      'ask: unknown version',
    ],
    [
      'case 214: another version under an allowed name, trusted',
      version2,
      agent('trusted', [rule('allow', tool)], { seen }),
      'ask: unknown version',
    ],
    [
      'case 214: another version under an allowed name, where none is written down',
      version2,
      agent('trusted', [rule('allow', tool)]),
      'ask: unknown version',
    ],
    [
      'case 214: another version, where the rule asks',
      version2,
      agent('trusted', [rule('ask', tool)]),
      'ask: unknown version',
    ],
    [
      'case 214: another version, both seen, is not what the rule allows',
      version2,
      agent('ask-before-changes', [rule('allow', tool)], { seen: { [SEND]: ['1', '2'] } }),
      'ask: ask-before-changes',
    ],
    [
      'case 214: another version under an allowed name, read only',
      version2,
      agent('read-only', [rule('allow', tool)], { seen }),
      'never: read-only',
    ],
    [
      'a version that a rule was made for',
      version2,
      agent('ask-before-changes', [rule('allow', { tool: SEND, version: '2' })], { seen }),
      'allow: rule allow',
    ],
    [
      'a version that a rule was made for, where its conditions do not hold',
      withArgs({ amount: 101 }),
      agent('trusted', [rule('allow', tool, { when: max100 })], { seen: {} }),
      'allow: trusted',
    ],
    [
      'a version that only a never was made for',
      found(withArgs({ amount: 1 })),
      agent('trusted', [rule('never', tool, { when: min100 })], { seen: {} }),
      'ask: unknown tool',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))
})

describe('step 4: the most specific rule', () => {
  const effect = { effect: 'write' } as const
  test.each<Row>([
    ['tool before effect', write, agent('read-only', [rule('ask', effect), rule('allow', tool)]), 'allow: rule allow'],
    ['effect before all', write, agent('read-only', [rule('ask'), rule('allow', effect)]), 'allow: rule allow'],
    [
      'tool of the provider before effect of the account',
      write,
      agent('read-only', [rule('ask', effect), rule('allow', tool, byProvider)]),
      'allow: rule allow',
    ],
    [
      'account before provider',
      write,
      agent('read-only', [rule('ask', effect, byProvider), rule('allow', effect)]),
      'allow: rule allow',
    ],
    [
      'account before provider with conditions',
      withArgs({ amount: 1 }),
      agent('read-only', [rule('ask', effect, { ...byProvider, when: max100 }), rule('allow', effect)]),
      'allow: rule allow',
    ],
    [
      'with conditions before without',
      withArgs({ amount: 1 }),
      agent('read-only', [rule('ask', tool), rule('allow', tool, { when: max100 })]),
      'allow: rule allow',
    ],
    ['the stricter on a tie', write, agent('trusted', [rule('allow', effect), rule('ask', effect)]), 'ask: rule ask'],
    [
      'the stricter on a tie, in the other order',
      write,
      agent('trusted', [rule('ask', tool), rule('allow', tool)]),
      'ask: rule ask',
    ],
    ['a rule for the provider', write, agent('read-only', [rule('allow', '*', byProvider)]), 'allow: rule allow'],
    [
      'a rule for another effect',
      write,
      agent(undefined, [rule('allow', { effect: 'read' })]),
      'ask: ask-before-changes',
    ],
    [
      'a rule that asks, where the preset allows',
      read,
      agent('trusted', [rule('ask', { effect: 'read' })]),
      'ask: rule ask',
    ],
    ['a rule of this chat', inChat(write), agent(undefined, [rule('allow', tool, { chat: 'c' })]), 'allow: rule allow'],
    [
      'a rule of another chat',
      inChat(write),
      agent(undefined, [rule('allow', effect, { chat: 'd' })]),
      'ask: ask-before-changes',
    ],
    [
      'a rule of a chat, and a call without one',
      write,
      agent(undefined, [rule('allow', effect, { chat: 'c' })]),
      'ask: ask-before-changes',
    ],
    ['a yes to all is no yes to what destroys', destroy, agent('trusted', [rule('allow')]), 'ask: trusted'],
    [
      'a yes to what destroys, remembered beyond a chat',
      destroy,
      agent('trusted', [rule('allow', { effect: 'destructive' })]),
      'ask: trusted',
    ],
    [
      'a yes to a tool that destroys, remembered beyond a chat',
      destroy,
      agent('read-only', [rule('allow', tool)]),
      'never: read-only',
    ],
    [
      'a yes to a tool that destroys, for an hour',
      destroy,
      agent('trusted', [rule('allow', tool, { until: NOW + 3_600_000 })]),
      'ask: trusted',
    ],
    [
      'a yes to a tool that destroys, in this chat',
      inChat(destroy),
      agent('trusted', [rule('allow', tool, { chat: 'c' })]),
      'allow: rule allow',
    ],
    [
      'a yes to a tool that destroys, in another chat',
      inChat(destroy),
      agent('trusted', [rule('allow', tool, { chat: 'd' })]),
      'ask: trusted',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))

  test.each<[title: string, decision: Decision, before: string, after: string]>([
    ['case 190: a rule that allows is over at its end', 'allow', 'allow: rule allow', 'ask: ask-before-changes'],
    ['case 190: a rule that asks is over at its end', 'ask', 'ask: rule ask', 'ask: ask-before-changes'],
    ['case 190: a rule that forbids is over at its end', 'never', 'never: rule never', 'ask: ask-before-changes'],
  ])('%s', (_, decision, before, after) => {
    const rules = agent(undefined, [rule(decision, { effect: 'write' }, { until: NOW })])
    for (const [now, verdict] of [
      [NOW - 1, before],
      [NOW, after],
      [NOW + 1, after],
    ] as const)
      check(write, rules, verdict, now)
  })
})

describe('step 5: the preset', () => {
  test.each<Row>([
    ['read only, read', read, agent('read-only'), 'allow: read-only'],
    ['read only, write', write, agent('read-only'), 'never: read-only'],
    ['read only, destructive', destroy, agent('read-only'), 'never: read-only'],
    ['ask before changes, read', read, agent('ask-before-changes'), 'allow: ask-before-changes'],
    ['ask before changes, write', write, agent('ask-before-changes'), 'ask: ask-before-changes'],
    ['ask before changes, destructive', destroy, agent('ask-before-changes'), 'ask: ask-before-changes'],
    ['trusted, read', read, agent('trusted'), 'allow: trusted'],
    ['trusted, write', write, agent('trusted'), 'allow: trusted'],
    ['trusted, destructive', destroy, agent('trusted'), 'ask: trusted'],
    ['none', write, agent(undefined), 'ask: ask-before-changes'],
    ['of the provider', write, agent(undefined, [], { providers: { acme: 'trusted' } }), 'allow: trusted'],
    [
      'of the account before the provider',
      write,
      agent('read-only', [], { providers: { acme: 'trusted' } }),
      'never: read-only',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))

  it('is never something that every object inherits', () => {
    for (const id of ['constructor', '__proto__', 'toString'])
      expect(presetFor(agent(undefined), { id, provider: id })).toBe('ask-before-changes')
  })
})

describe('parents', () => {
  test.each<Row>([
    [
      'case 189: a trusted child of a parent that may read',
      write,
      [agent('trusted'), agent('read-only')],
      'never: read-only of 1',
    ],
    [
      'case 189: a child with a rule that allows, of a parent that asks',
      write,
      [agent('trusted', [rule('allow', tool)]), agent(undefined)],
      'ask: ask-before-changes of 1',
    ],
    [
      'case 189: a child of a parent with a rule that forbids',
      read,
      [agent('trusted'), agent('trusted', [rule('never')])],
      'never: rule never of 1',
    ],
    [
      'case 189: a child of a parent that has not seen the tool',
      found(write),
      [agent('trusted', [rule('allow', tool)]), agent('trusted', [], { seen: {} })],
      'ask: unknown tool of 1',
    ],
    [
      'case 189: a grandchild',
      write,
      [agent('trusted'), agent('trusted'), agent('read-only')],
      'never: read-only of 2',
    ],
    ['a child that is stricter', write, [agent('read-only'), agent('trusted')], 'never: read-only'],
    [
      'the child itself on a tie',
      write,
      [agent(undefined), agent(undefined), agent(undefined)],
      'ask: ask-before-changes',
    ],
    [
      'the nearest of the strictest',
      write,
      [agent('trusted'), agent('read-only'), agent('off')],
      'never: read-only of 1',
    ],
  ])('%s', (_, call, agents, verdict) => check(call, agents, verdict))
})

describe('conditions', () => {
  const allows = (when: Conditions, args: unknown) =>
    decide(withArgs(args), [agent('read-only', [rule('allow', tool, { when })])], NOW).decision === 'allow'
  const forbids = (when: Conditions, args: unknown) =>
    decide(withArgs(args), [agent('trusted', [rule('never', tool, { when })])], NOW).decision === 'never'
  const asks = (when: Conditions, args: unknown) =>
    decide(withArgs(args), [agent('trusted', [rule('ask', tool, { when })])], NOW).decision === 'ask'

  const odd: [string, unknown][] = [
    ['a text', '100'],
    ['a text with an exponent', '1e2'],
    ['a list', [100]],
    ['an operator', { $gt: 0 }],
    ['a bigint', 100n],
    ['an object around a number', new Number(100)],
    ['something that turns into a number', { valueOf: () => 100 }],
    ['no number', Number.NaN],
    ['null', null],
    ['undefined', undefined],
    ['true', true],
  ]
  test.each(odd)('case 213: a number given as %s is no yes, and is forbidden and asked', (_, amount) => {
    const others: Comparison[] = [{ min: 100 }, { max: 100 }, { equals: 100 }, { in: [100] }, { min: 0, max: 1000 }]
    for (const comparison of others) {
      expect(holds({ amount: comparison }, { amount })).toBe(undefined)
      expect(allows({ amount: comparison }, { amount })).toBe(false)
      expect(forbids({ amount: comparison }, { amount })).toBe(true)
      expect(asks({ amount: comparison }, { amount })).toBe(true)
    }
  })

  it('case 213: a number is one, however it is written', () => {
    expect(allows({ amount: { equals: 100 } }, JSON.parse('{"amount":1e2}'))).toBe(true)
    expect(forbids(min100, JSON.parse('{"amount":1e2}'))).toBe(true)
    expect(holds(max100, { amount: Number.POSITIVE_INFINITY })).toBe(undefined)
    expect(holds(max100, { amount: Number.NEGATIVE_INFINITY })).toBe(undefined)
  })

  const text: [string, unknown][] = [
    ['a list', ['bob@acme.com']],
    ['an object', { address: 'bob@acme.com' }],
    ['an object around a text', new String('bob@acme.com')],
    ['something that turns into a text', { toString: () => 'bob@acme.com', endsWith: () => true }],
    ['two addresses, comma', 'eve@evil.example, bob@acme.com'],
    ['two addresses, comma alone', 'eve@evil.example,bob@acme.com'],
    ['two addresses, semicolon', 'eve@evil.example;bob@acme.com'],
    ['two addresses, space', 'eve@evil.example bob@acme.com'],
    ['two addresses, tab', 'eve@evil.example\tbob@acme.com'],
    ['two addresses, new line', 'eve@evil.example\r\nbcc:bob@acme.com'],
    ['two addresses, wide comma', 'eve@evil.example\uff0cbob@acme.com'],
    ['two addresses, no-break space', 'eve@evil.example\u00a0bob@acme.com'],
    ['an address with a name', 'Bob <eve@evil.example> @acme.com'],
    ['brackets', '<eve@evil.example>@acme.com'],
    ['a zero', 'eve@evil.example\0@acme.com'],
    ['an invisible character', 'bob\u200b@acme.com'],
    ['a soft hyphen', 'bob\u00ad@acme.com'],
    ['an invisible filler', 'bob\u3164@acme.com'],
    ['a blank of braille', 'bob\u2800@acme.com'],
    ['a direction', 'bob\u202e@acme.com'],
    ['half of a character', 'bob\ud800@acme.com'],
  ]
  test.each(text)('case 213: the end of %s is no yes, and is forbidden and asked', (_, to) => {
    expect(holds(toAcme, { to })).toBe(undefined)
    expect(allows(toAcme, { to })).toBe(false)
    expect(forbids(toAcme, { to })).toBe(true)
    expect(asks(toAcme, { to })).toBe(true)
  })

  class Args {
    to = 'bob@acme.com'
  }
  const noArgs: [string, unknown][] = [
    ['none', undefined],
    ['null', null],
    ['a text', 'bob@acme.com'],
    ['a list', Object.assign([], { to: 'bob@acme.com' })],
    ['of a class', new Args()],
    ['inherited', Object.create({ to: 'bob@acme.com' })],
    ['behind a getter', Object.defineProperty({}, 'to', { get: () => 'bob@acme.com', enumerable: true })],
  ]
  test.each(noArgs)('case 213: arguments that are %s are no yes', (_, args) => {
    expect(holds(toAcme, args)).toBe(undefined)
    expect(allows(toAcme, args)).toBe(false)
    expect(forbids(toAcme, args)).toBe(true)
  })

  it('case 213: an argument that every object inherits is absent', () => {
    expect(holds({ constructor: { equals: 'x' } }, {})).toBe(undefined)
    expect(holds({ length: { min: 0 } }, [])).toBe(undefined)
  })

  test.each<[Conditions, unknown, boolean | undefined]>([
    [toAcme, { to: 'bob@acme.com' }, true],
    [toAcme, { to: 'bob@ACME.com' }, false],
    [toAcme, { to: 'bob@evil-acme.com' }, false],
    [toAcme, Object.assign(Object.create(null), { to: 'bob@acme.com' }), true],
    [{ path: { startsWith: '/repos/acme/' } }, { path: '/repos/acme/x' }, true],
    [{ path: { startsWith: '/repos/acme/' } }, { path: '/repos/evil/x' }, false],
    [{ path: { startsWith: '/a', endsWith: 'z' } }, { path: '/a/b' }, false],
    [{ name: { equals: '\u00e9' } }, { name: 'e\u0301' }, false],
    [{ name: { equals: 'two words, here' } }, { name: 'two words, here' }, true],
    [{ draft: { equals: true } }, { draft: true }, true],
    [{ draft: { equals: true } }, { draft: 'true' }, undefined],
    [{ draft: { equals: true } }, { draft: 1 }, undefined],
    [{ to: { in: ['a', 'b'] } }, { to: 'b' }, true],
    [{ to: { in: ['a', 'b'] } }, { to: 'c' }, false],
    [{ to: { in: ['a', 1] } }, { to: 1 }, true],
    [{ to: { in: [] } }, { to: 'c' }, undefined],
    [{ amount: { min: 1, max: 3 } }, { amount: 1 }, true],
    [{ amount: { min: 1, max: 3 } }, { amount: 3 }, true],
    [{ amount: { min: 1, max: 3 } }, { amount: 3.01 }, false],
    [{ amount: { max: 3 }, to: { equals: 'a' } }, { amount: 3, to: 'a' }, true],
    [{ amount: { max: 3 }, to: { equals: 'a' } }, { amount: 3, to: 'b' }, false],
    [{ amount: { max: 3 }, to: { equals: 'a' } }, { amount: 4 }, undefined],
    [{ amount: {} }, { amount: 4 }, undefined],
    [{}, { amount: 4 }, undefined],
    [{ amount: { constructor: 1 } as Comparison }, { amount: 4 }, undefined],
    [{ amount: { max: 9, matches: '.*' } as Comparison }, { amount: 4 }, undefined],
  ])('%j of %j: %s', (conditions, args, result) => {
    expect(holds(conditions, args)).toBe(result)
  })
})

describe('reading', () => {
  const good = {
    accounts: { 'acme.1': 'trusted' },
    providers: { acme: 'off' },
    rules: [
      { id: 'a', of: { account: 'acme.1' }, subject: '*', decision: 'ask' },
      { id: 'b', of: { provider: 'acme' }, subject: { effect: 'read' }, decision: 'never', until: NOW },
      { id: 'c', of: { account: 'acme.1' }, subject: tool, decision: 'allow', chat: 'c', when: toAcme },
      { id: 'd', of: { account: 'acme.1' }, subject: tool, decision: 'allow', when: { a: { in: ['x', 1], min: 0 } } },
    ],
    seen: { [SEND]: ['1', '2'] },
    stopped: true,
  }
  const first = good.rules[0]
  const withRule = (other: object) => ({ ...good, rules: [{ ...first, ...other }] })
  const withWhen = (when: unknown) => withRule({ when })

  it('gives what is well formed, in records that inherit nothing', () => {
    const rules = readAgentRules(JSON.parse(JSON.stringify(good)))
    expect(rules).toEqual(good)
    expect(readAgentRules({ accounts: {}, providers: {}, rules: [] })).toEqual({
      accounts: {},
      providers: {},
      rules: [],
    })
    for (const record of [rules?.accounts, rules?.providers, rules?.seen, rules?.rules[2]?.when])
      expect(Object.getPrototypeOf(record)).toBe(null)
    expect(rules?.accounts.constructor).toBe(undefined)
  })

  it('gives the rules of a person', () => {
    const stopped = { everything: 1, agents: { a: 2 }, accounts: { 'acme.1': 3 } }
    const person = readPersonRules({ agents: { a: good }, stopped })
    expect(person).toEqual({ agents: { a: good }, stopped })
    for (const record of [person?.agents, person?.stopped.agents, person?.stopped.accounts])
      expect(Object.getPrototypeOf(record)).toBe(null)
    expect(readPersonRules({ agents: {}, stopped: { agents: {}, accounts: {} } })?.stopped).not.toHaveProperty(
      'everything',
    )
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['a text', JSON.stringify(good)],
    ['no accounts', { ...good, accounts: undefined }],
    ['no providers', { ...good, providers: undefined }],
    ['no rules', { ...good, rules: undefined }],
    ['an unknown preset', { ...good, accounts: { a: 'root' } }],
    ['a preset that every object inherits', { ...good, accounts: { a: 'constructor' } }],
    ['a preset of another type', { ...good, providers: { a: ['trusted'] } }],
    ['an id __proto__', { ...good, accounts: JSON.parse('{"__proto__":"trusted"}') }],
    ['an id constructor', { ...good, providers: { constructor: 'trusted' } }],
    ['an empty id', { ...good, accounts: { '': 'trusted' } }],
    ['rules in a record', { ...good, rules: { 0: first } }],
    ['501 rules', { ...good, rules: Array(501).fill(first) }],
    ['a hole in the rules', { ...good, rules: Array(1) }],
    ['seen in no list', { ...good, seen: { [SEND]: '1' } }],
    ['seen with a number', { ...good, seen: { [SEND]: [1] } }],
    ['seen null', { ...good, seen: null }],
    ['seen of __proto__', { ...good, seen: JSON.parse('{"__proto__":["1"]}') }],
    ['stopped false', { ...good, stopped: false }],
    ['an unknown decision', withRule({ decision: 'yes' })],
    ['a decision of another type', withRule({ decision: ['allow'] })],
    ['a rule without an id', withRule({ id: undefined })],
    ['a rule with an id __proto__', withRule({ id: '__proto__' })],
    ['a rule with a member that is not known', withRule({ unless: toAcme })],
    ['a rule of nothing', withRule({ of: {} })],
    ['a rule of an account and a provider', withRule({ of: { account: 'a', provider: 'b' } })],
    ['a rule of a number', withRule({ of: { account: 1 } })],
    ['an unknown effect', withRule({ subject: { effect: 'all' } })],
    ['an unknown subject', withRule({ subject: 'all' })],
    ['a tool without a version', withRule({ subject: { tool: SEND } })],
    ['a tool and an effect', withRule({ subject: { ...tool, effect: 'read' } })],
    ['an effect that is none', withRule({ effect: 'all' })],
    ['a reach of nothing', withRule({ reach: {} })],
    ['a reach with both', withRule({ reach: { only: ['a'], except: ['b'] } })],
    ['a reach that is no list', withRule({ reach: { only: 'a' } })],
    ['a preset from before that is none', { ...good, before: { accounts: { a: 'all' }, providers: {} } }],
    ['presets from before without providers', { ...good, before: { accounts: {} } }],
    ['an end that is a text', withRule({ until: '1' })],
    ['an end that is no number', withRule({ until: Number.NaN })],
    ['an end null', withRule({ until: null })],
    ['an empty chat', withRule({ chat: '' })],
    ['conditions in a list', withWhen([{ to: { equals: 'a' } }])],
    ['empty conditions', withWhen({})],
    ['conditions null', withWhen(null)],
    ['an empty comparison', withWhen({ to: {} })],
    ['a comparison that is not known', withWhen({ to: { matches: '.*' } })],
    ['a comparison with one more', withWhen({ to: { equals: 'a', matches: '.*' } })],
    ['a comparison of __proto__', withWhen(JSON.parse('{"__proto__":{"equals":"a"}}'))],
    ['equal to an object', withWhen({ to: { equals: {} } })],
    ['equal to no number', withWhen({ to: { equals: Number.NaN } })],
    ['in a text', withWhen({ to: { in: 'abc' } })],
    ['in nothing', withWhen({ to: { in: [] } })],
    ['in a list of true', withWhen({ to: { in: [true] } })],
    ['starts with nothing', withWhen({ to: { startsWith: '' } })],
    ['ends with a number', withWhen({ to: { endsWith: 1 } })],
    ['at least a text', withWhen({ to: { min: '1' } })],
    ['at most no end', withWhen({ to: { max: Number.POSITIVE_INFINITY } })],
    ['a comparison that is undefined', withWhen({ to: { max: undefined } })],
  ])('refuses %s', (_, value) => {
    expect(readAgentRules(value)).toBe(undefined)
    expect(readPersonRules({ agents: { a: value }, stopped: { agents: {}, accounts: {} } })).toBe(undefined)
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no agents', { stopped: { agents: {}, accounts: {} } }],
    ['no stops', { agents: {} }],
    ['stops without accounts', { agents: {}, stopped: { agents: {} } }],
    ['a stop that is no time', { agents: {}, stopped: { agents: { a: true }, accounts: {} } }],
    ['a stop of everything that is no time', { agents: {}, stopped: { everything: true, agents: {}, accounts: {} } }],
    ['an agent __proto__', { agents: JSON.parse('{"__proto__":null}'), stopped: { agents: {}, accounts: {} } }],
    ['a stop of __proto__', { agents: {}, stopped: { agents: JSON.parse('{"__proto__":1}'), accounts: {} } }],
  ])('refuses of a person %s', (_, value) => {
    expect(readPersonRules(value)).toBe(undefined)
  })

  it('takes 500 rules', () => {
    expect(readAgentRules({ ...good, rules: Array(500).fill(first) })?.rules).toHaveLength(500)
  })
})

/** The rules of an agent after its person chose a preset. */
function choose(rules: AgentRules, of: Rule['of'], preset: Preset, providerOf: PresetChoice['providerOf'] = known) {
  const person = { agents: { scout: rules }, stopped: { agents: {}, accounts: {} } }
  return withPreset(person, 'scout', { of, preset, providerOf }).agents.scout ?? agent(undefined)
}
const known = (id: string) => id.split('.')[0]

describe('a preset that a person chooses', () => {
  const other = { id: 'acme.2', provider: 'acme' }
  const always = rule('allow', tool)
  const inAllAccounts = rule('allow', tool, byProvider)
  const asks = rule('ask', tool, byProvider)
  const one = { account: account.id }
  const all = { provider: 'acme' }
  type Chosen = [title: string, rules: AgentRules, ...chosen: [Rule['of'], Preset][]]
  const after = (rules: AgentRules, chosen: [Rule['of'], Preset][]) =>
    chosen.reduce((now, [of, preset]) => choose(now, of, preset), rules)

  test.each<[...Chosen, string]>([
    ['stricter ends a yes', agent(undefined, [always]), [one, 'read-only'], 'never: read-only'],
    [
      'stricter ends a yes in a chat',
      agent(undefined, [rule('allow', tool, { chat: 'c' })]),
      [one, 'read-only'],
      'never: read-only',
    ],
    [
      'stricter ends a yes for some time',
      agent('trusted', [{ ...always, until: NOW + 1 }]),
      [one, 'ask-before-changes'],
      'ask: ask-before-changes',
    ],
    [
      'stricter ends a question where it says never',
      agent('trusted', [rule('ask', tool)]),
      [one, 'read-only'],
      'never: read-only',
    ],
    [
      'stricter ends a yes that the provider has',
      agent(undefined, [inAllAccounts]),
      [one, 'read-only'],
      'never: read-only',
    ],
    ['stricter for the provider', agent(undefined, [always]), [all, 'read-only'], 'never: read-only'],
    [
      'stricter for the provider, of an account with its own',
      agent('trusted', [inAllAccounts]),
      [all, 'read-only'],
      'allow: rule allow',
    ],
    ['more', agent('read-only', [always]), [one, 'ask-before-changes'], 'allow: rule allow'],
    [
      'more, after a stricter one',
      agent(undefined, [always]),
      [one, 'read-only'],
      [one, 'ask-before-changes'],
      'ask: ask-before-changes',
    ],
    ['the same', agent('read-only', [always]), [one, 'read-only'], 'allow: rule allow'],
    ['off', agent(undefined, [always]), [one, 'off'], 'never: off'],
    ['off and back', agent(undefined, [always]), [one, 'off'], [one, 'ask-before-changes'], 'allow: rule allow'],
    [
      'off and back to more',
      agent('read-only', [always]),
      [one, 'off'],
      [one, 'ask-before-changes'],
      'allow: rule allow',
    ],
    [
      'off twice and back',
      agent('read-only', [always]),
      [one, 'off'],
      [one, 'off'],
      [one, 'read-only'],
      'allow: rule allow',
    ],
    ['off and back to less', agent(undefined, [always]), [one, 'off'], [one, 'read-only'], 'never: read-only'],
    [
      'off for the provider and back to less',
      agent(undefined, [always]),
      [all, 'off'],
      [one, 'read-only'],
      'never: read-only',
    ],
    ['off, nobody knows since when', agent('off', [always]), [one, 'read-only'], 'never: read-only'],
    ['never stays', agent('trusted', [rule('never', tool)]), [one, 'read-only'], 'never: rule never'],
  ])('case 373: %s', (_, rules, ...rest) => {
    const verdict = rest.pop() as string
    check(calls('write', { chat: 'c' }), after(rules, rest as [Rule['of'], Preset][]), verdict)
  })

  it('leaves a rule of the provider to its other accounts', () => {
    const { rules } = choose(agent(undefined, [inAllAccounts]), one, 'read-only')
    expect(rules).toEqual([{ ...inAllAccounts, reach: { except: ['acme.1'] } }])
    check(calls('write', { account: other }), agent(undefined, [...rules]), 'allow: rule allow')
    check(
      calls('write', { account: { id: 'acme.3', provider: 'acme' } }),
      agent(undefined, [...rules]),
      'allow: rule allow',
    )
  })

  it('for the provider leaves its rules to accounts with a preset of their own, and to those alone', () => {
    const before = agent('trusted', [inAllAccounts])
    const now = choose(before, all, 'read-only')
    expect(now.rules).toEqual([{ ...inAllAccounts, reach: { only: ['acme.1'] } }])
    check(calls('write', { account: other }), now, 'never: read-only')
    // An account does not get back what ended, whatever it has later.
    check(
      calls('write', { account: other }),
      choose(now, { account: 'acme.2' }, 'ask-before-changes'),
      'ask: ask-before-changes',
    )
  })

  it('knows that the person has seen what an ended yes was for, and no other version', () => {
    const now = choose(agent('trusted', [rule('allow', tool)]), one, 'read-only')
    expect(now.rules).toEqual([])
    check(calls('read', { tool: { name: SEND, version: '2', effect: 'read' } }), now, 'ask: unknown version')
  })

  it('keeps what asks before reading', () => {
    const now = choose(agent('trusted', [rule('ask', '*', byProvider)]), one, 'read-only')
    check(read, now, 'ask: rule ask.acme.1')
    check(write, now, 'never: read-only')
    check(calls('write', { account: other }), now, 'ask: rule ask')
    check(write, choose(agent('trusted', [{ ...asks, effect: 'write' }]), one, 'read-only'), 'never: read-only')
  })

  it('of an account that nobody knows ends what allows, and leaves what asks', () => {
    const nobody = () => undefined
    expect(choose(agent(undefined, [always]), all, 'read-only', nobody).rules).toEqual([])
    expect(choose(agent(undefined, [always]), one, 'read-only', nobody).rules).toEqual([])
    const asking = agent(undefined, [rule('ask', tool)])
    expect(choose(asking, all, 'read-only', nobody).rules).toEqual(asking.rules)
  })
})

describe('whatever the rules are', () => {
  const effects = fc.constantFrom<Effect>('read', 'write', 'destructive')
  const decisions = fc.constantFrom<Decision>('allow', 'ask', 'never')
  const presets = fc.constantFrom<Preset>('read-only', 'ask-before-changes', 'trusted', 'off')
  const names = fc.constantFrom(SEND, 'acme/list')
  const versions = fc.constantFrom('1', '2')
  const ids = fc.constantFrom('acme.1', 'acme.2')
  const seldom = <T>(...values: T[]) =>
    fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...values) })
  const perhaps = <T>(...values: T[]) => fc.constantFrom(undefined, ...values)
  const rules = fc.record({
    id: fc.string(),
    of: fc.oneof(fc.record({ account: ids }), fc.record({ provider: fc.constantFrom('acme', 'other') })),
    subject: fc.oneof(
      fc.record({ tool: names, version: versions }),
      fc.record({ effect: effects }),
      fc.constant('*' as const),
    ),
    decision: decisions,
    effect: perhaps('read', 'write', 'destructive'),
    reach: perhaps({ only: ['acme.1'] }, { except: ['acme.2'] }, { except: ['acme.1', 'other.1'] }),
    until: perhaps(NOW - 1, NOW, NOW + 1),
    chat: perhaps('c', 'd'),
    when: perhaps(max100, min100, toAcme),
  }) as fc.Arbitrary<Rule>
  const agents = fc.record({
    accounts: fc.dictionary(ids, presets),
    providers: fc.dictionary(fc.constant('acme'), presets),
    before: perhaps(
      { accounts: { 'acme.1': 'trusted' }, providers: {} },
      { accounts: {}, providers: { acme: 'read-only' } },
    ),
    rules: fc.array(rules, { maxLength: 6 }),
    seen: fc.oneof(fc.constant(undefined), fc.dictionary(names, fc.array(versions))),
    stopped: seldom(true),
  }) as fc.Arbitrary<AgentRules>
  const anyCall = fc.record({
    account: fc.record({ id: ids, provider: fc.constant('acme'), paused: seldom(true) }),
    tool: fc.option(fc.record({ name: names, version: versions, effect: effects }), { nil: undefined }),
    args: fc.record(
      { amount: fc.constantFrom<unknown>(1, 100, 101, '100', Number.NaN), to: fc.constantFrom('b@acme.com', 'e@evil') },
      { requiredKeys: [] },
    ),
    chat: perhaps('c', 'd'),
    stopped: seldom('account', 'everything'),
  }) as fc.Arbitrary<RuledCall>
  const settings = { numRuns: 2000, seed: 2913 }
  const strictness = (verdict: Verdict) => STRICTNESS[verdict.decision]

  it('case 189: a child never gets more than its parent', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(anyCall, agents, agents, (call, child, parent) => {
        const both = decide(call, [child, parent], NOW)
        const alone = [decide(call, [child], NOW), decide(call, [parent], NOW)].map(strictness)
        expect(strictness(both)).toBe(Math.max(...alone))
        expect(both.agent).toBe(alone.indexOf(Math.max(...alone)))
        seen.add(`${both.decision} ${both.agent}`)
      }),
      settings,
    )
    expect([...seen].sort()).toEqual(['allow 0', 'ask 0', 'ask 1', 'never 0', 'never 1'])
  })

  it('case 188: one more rule that forbids never loosens, and forbids what it is about', () => {
    let forbidden = 0
    fc.assert(
      fc.property(anyCall, agents, rules, fc.nat(6), (call, before, added, at) => {
        const never: Rule = { ...added, decision: 'never' }
        const after = { ...before, rules: before.rules.toSpliced(at, 0, never) }
        expect(strictness(decide(call, [after], NOW))).toBeGreaterThanOrEqual(strictness(decide(call, [before], NOW)))
        const alone: AgentRules = { accounts: {}, providers: {}, rules: [never] }
        if (decide(call, [alone], NOW).decision !== 'never') return
        expect(decide(call, [after], NOW).decision).toBe('never')
        forbidden += 1
      }),
      settings,
    )
    expect(forbidden).toBeGreaterThan(300)
  })

  it('one more rule that allows never starts what is stopped, paused or off', () => {
    let stopped = 0
    fc.assert(
      fc.property(anyCall, agents, rules, (call, before, added) => {
        const isOff = presetFor(before, call.account) === 'off'
        if (!call.account.paused && !call.stopped && !before.stopped && !isOff) return
        const after = { ...before, rules: [...before.rules, { ...added, decision: 'allow' as const }] }
        expect(decide(call, [after], NOW).decision).toBe('never')
        stopped += 1
      }),
      settings,
    )
    expect(stopped).toBeGreaterThan(300)
  })

  it('nothing that destroys is allowed by what is remembered beyond a chat', () => {
    fc.assert(
      fc.property(anyCall, agents, (call, one) => {
        const { decision, because } = decide(
          { ...call, tool: { name: SEND, version: '1', effect: 'destructive' } },
          [one],
          NOW,
        )
        if (decision === 'allow') expect(because).toMatchObject({ by: 'rule', rule: { chat: call.chat } })
      }),
      settings,
    )
  })

  it('a verdict names a rule that the agent has and that says so, in whatever order they are', () => {
    const named = new Set<Decision>()
    fc.assert(
      fc.property(anyCall, agents, agents, (call, child, parent) => {
        const { decision, because, agent: at } = decide(call, [child, parent], NOW)
        const turned = (one: AgentRules) => ({ ...one, rules: one.rules.toReversed() })
        expect(decide(call, [turned(child), turned(parent)], NOW)).toMatchObject({ decision, agent: at })
        if (because.by !== 'rule') return
        expect([child, parent][at]?.rules).toContain(because.rule)
        expect(because.rule.decision).toBe(decision)
        named.add(decision)
      }),
      settings,
    )
    expect(named.size).toBe(3)
  })

  const accounts = ['acme.1', 'acme.2', 'other.1'].map((id) => ({ id, provider: known(id) ?? '' }))
  const choices = fc.oneof(
    fc.record({ account: fc.constantFrom('acme.1', 'acme.2', 'other.1') }),
    fc.record({ provider: fc.constantFrom('acme', 'other') }),
  ) as fc.Arbitrary<Rule['of']>
  const freedom = (preset: Preset) => BY_FREEDOM.indexOf(preset)

  it('a stricter preset is what it says, where it is chosen, and changes nothing elsewhere', () => {
    const ended = new Set<string>()
    fc.assert(
      fc.property(anyCall, fc.constantFrom(...accounts), agents, choices, presets, (call, at, before, of, preset) => {
        const given = { ...call, account: { ...call.account, ...at } }
        const after = choose(before, of, preset)
        const [was, is] = [decide(given, [before], NOW), decide(given, [after], NOW)]
        const isReached =
          'account' in of ? of.account === at.id : !before.accounts[at.id] && of.provider === at.provider
        if (!isReached) expect(is.decision).toBe(was.decision)
        const stood = isReached ? presetFor(before, at) : 'off'
        if (stood === 'off' || freedom(preset) >= freedom(stood)) return
        expect(strictness(is)).toBeGreaterThanOrEqual(strictness(was))
        expect(strictness(is)).toBeGreaterThanOrEqual(STRICTNESS[PRESETS[preset][call.tool?.effect ?? 'write']])
        if (is.decision !== was.decision) ended.add(`${was.because.by} ${'account' in of}`)
      }),
      { ...settings, numRuns: 6000 },
    )
    expect([...ended].sort()).toEqual(expect.arrayContaining(['rule false', 'rule true']))
  })

  it('whoever knows of an account, a stricter preset loosens nothing', () => {
    fc.assert(
      fc.property(anyCall, fc.constantFrom(...accounts), agents, choices, presets, (call, at, before, of, preset) => {
        const given = { ...call, account: { ...call.account, ...at } }
        const isStricter = accounts.every((one) => presetFor(before, one) === 'trusted' || freedom(preset) === 0)
        if (!isStricter && 'provider' in of) return
        const stood = presetFor(before, at)
        if (stood === 'off' || freedom(preset) > freedom(stood)) return
        const after = choose(before, of, preset, () => undefined)
        expect(strictness(decide(given, [after], NOW))).toBeGreaterThanOrEqual(strictness(decide(given, [before], NOW)))
      }),
      settings,
    )
  })

  it('off and back is as it was', () => {
    fc.assert(
      fc.property(anyCall, agents, choices, (call, before, of) => {
        const stood = presetFor(
          before,
          'account' in of ? { id: of.account, provider: known(of.account) ?? '' } : { id: '', provider: of.provider },
        )
        if (stood === 'off') return
        const after = choose(choose(before, of, 'off'), of, stood)
        expect(after.rules).toEqual(before.rules)
        expect(decide(call, [after], NOW).decision).toBe(decide(call, [before], NOW).decision)
      }),
      settings,
    )
  })

  it('what was read decides as what was written', () => {
    fc.assert(
      fc.property(anyCall, agents, (call, one) => {
        const ided = { ...one, rules: one.rules.map((each, at) => ({ ...each, id: `r${at}` })) }
        const again = readAgentRules(JSON.parse(JSON.stringify(ided)))
        expect(again).toEqual(ided)
        if (again) expect(decide(call, [again], NOW)).toEqual(decide(call, [ided], NOW))
      }),
      settings,
    )
  })
})
