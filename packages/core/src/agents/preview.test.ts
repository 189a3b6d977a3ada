import { describe, expect, it } from 'vitest'
import { oauth } from '../provider.ts'
import { github } from '../providers/github.ts'
import { kaggle } from '../providers/kaggle.ts'
import { accessPreview, type PreviewItem, type PreviewOptions, previewDiff } from './index.ts'
import type { Agent, AgentTool, PersonRules } from './oversight.ts'
import type { AgentRules, Effect, Preset, Rule } from './rules.ts'

const NOW = 1_000
const ID = 'github.a'

const tool = (name: string, effect: Effect, scopes?: string[]): AgentTool => ({
  ...{ name: `github/${name}`, title: name, provider: 'github', effect, version: '1' },
  ...(scopes && { scopes }),
})
const TOOLS = [
  tool('list', 'read', ['repo']),
  tool('open', 'write', ['repo']),
  tool('erase', 'destructive', ['delete_repo']),
  { ...tool('other', 'read'), provider: 'kaggle' },
]
const helper = (change: Partial<Agent> = {}): Agent => ({ id: 'helper', name: 'Helper', tools: TOOLS, ...change })
const person = (preset: Preset | undefined, rules: Rule[] = [], more: Partial<PersonRules> = {}): PersonRules => ({
  agents: { helper: { accounts: preset ? { [ID]: preset } : {}, providers: {}, rules } },
  stopped: { agents: {}, accounts: {} },
  ...more,
})
const rule = (decision: Rule['decision'], change: Partial<Rule> = {}): Rule => ({
  ...{ id: decision, of: { account: ID }, subject: { tool: 'github/open', version: '1' }, decision },
  ...change,
})
const when = { to: { endsWith: '@acme.com' } }

const preview = (rules: PersonRules, change: Partial<PreviewOptions> = {}) =>
  accessPreview({
    ...{ agents: [helper()], agent: 'helper', provider: github(), account: { id: ID }, rules, now: NOW },
    scopes: ['read:user', 'repo'],
    ...change,
  })

/** Items in a word each: `open: ask`, with what is special about it. */
const words = (items: PreviewItem[]) =>
  items.map(({ name, decision, depends, missingScopes, unused }) =>
    [
      `${name.replace('github/', '')}: ${decision}`,
      depends && 'depends',
      missingScopes && `needs ${missingScopes}`,
      unused && 'unused',
    ]
      .filter(Boolean)
      .join(', '),
  )

describe('a preview', () => {
  const none = {}
  const ask = ['list: allow', 'open: ask', 'erase: ask, needs delete_repo']
  const never = ['list: never', 'open: never', 'erase: never', 'read:user: never, unused', 'repo: never']
  const untouched = [...ask, 'read:user: ask, unused', 'repo: ask']
  it.each<[what: string, rules: PersonRules, change: Partial<PreviewOptions>, items: string[]]>([
    ['without rules', person(undefined), none, untouched],
    [
      'read only',
      person('read-only'),
      none,
      ['list: allow', 'open: never', 'erase: never', 'read:user: never, unused', 'repo: never'],
    ],
    [
      'trusted',
      person('trusted'),
      none,
      ['list: allow', 'open: allow', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: allow'],
    ],
    ['off', person('off'), none, never],
    ['paused', person('trusted'), { account: { id: ID, paused: true } }, never],
    [
      'an agent that is stopped',
      person('trusted', [], { stopped: { agents: { helper: 1 }, accounts: {} } }),
      none,
      never,
    ],
    [
      'an account that is stopped',
      person('trusted', [], { stopped: { agents: {}, accounts: { [ID]: 1 } } }),
      none,
      never,
    ],
    [
      'everything stopped',
      person('trusted', [], { stopped: { everything: 1, agents: {}, accounts: {} } }),
      none,
      never,
    ],
    [
      'an agent that the app gives none of it',
      person('trusted'),
      { agents: [helper({ providers: ['kaggle'] })] },
      never,
    ],
    [
      'a parent that the app gives none of it',
      person('trusted'),
      { agents: [helper({ parent: 'chief' }), helper({ id: 'chief', providers: [] })] },
      never,
    ],
    [
      'a parent of less',
      person('trusted'),
      { agents: [helper({ parent: 'chief' }), helper({ id: 'chief', parent: 'helper', tools: [] })] },
      untouched,
    ],
    [
      'a rule for a tool',
      person(undefined, [rule('allow')]),
      none,
      ['list: allow', 'open: allow', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: allow'],
    ],
    ['a rule that is over', person(undefined, [rule('allow', { until: NOW })]), none, untouched],
    ['a rule for another chat', person(undefined, [rule('allow', { chat: 'c' })]), { chat: 'd' }, untouched],
    [
      'a rule for this chat',
      person(undefined, [rule('allow', { chat: 'c' })]),
      { chat: 'c' },
      ['list: allow', 'open: allow', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: allow'],
    ],
    [
      'a yes for some arguments',
      person(undefined, [rule('ask'), rule('allow', { when })]),
      none,
      [
        'list: allow',
        'open: ask, depends',
        'erase: ask, needs delete_repo',
        'read:user: ask, unused',
        'repo: ask, depends',
      ],
    ],
    [
      'a no for some arguments',
      person('trusted', [rule('never', { when })]),
      none,
      [
        'list: allow',
        'open: allow, depends',
        'erase: ask, needs delete_repo',
        'read:user: ask, unused',
        'repo: allow, depends',
      ],
    ],
    [
      'a yes for some arguments under a no',
      person(undefined, [rule('never'), rule('allow', { when })]),
      none,
      ['list: allow', 'open: never', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: ask'],
    ],
    [
      'a yes for some arguments with another account or tool says nothing of this one',
      person(undefined, [
        rule('allow'),
        rule('ask', { when, of: { account: 'github.2' } }),
        rule('ask', { when, subject: { tool: 'github/close', version: '1' } }),
      ]),
      none,
      ['list: allow', 'open: allow', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: allow'],
    ],
    [
      'a no for some arguments beside a rule that comes first',
      person('trusted', [rule('allow'), rule('ask', { when, subject: { effect: 'write' } })]),
      none,
      ['list: allow', 'open: allow', 'erase: ask, needs delete_repo', 'read:user: ask, unused', 'repo: allow'],
    ],
    [
      'a yes for some arguments of an agent and of its parent',
      person(undefined, [rule('allow', { when })], {
        agents: {
          helper: { accounts: {}, providers: {}, rules: [rule('allow', { when })] },
          chief: { accounts: {}, providers: {}, rules: [rule('allow', { when })] },
        },
      }),
      { agents: [helper({ parent: 'chief' }), helper({ id: 'chief', tools: [] })] },
      [
        'list: allow',
        'open: ask, depends',
        'erase: ask, needs delete_repo',
        'read:user: ask, unused',
        'repo: ask, depends',
      ],
    ],
    [
      'before it is connected, by the preset of the service',
      person(undefined, [], {
        agents: { helper: { accounts: {}, providers: { github: 'read-only' }, rules: [] } },
      }),
      { account: undefined, scopes: ['repo'] },
      ['list: allow', 'open: never', 'erase: never', 'repo: never'],
    ],
    [
      'a tool that does not say what it needs may need any scope',
      person(undefined),
      { agents: [helper({ tools: [tool('list', 'read')] })], scopes: ['read:user', 'repo'] },
      ['list: allow', 'read:user: allow', 'repo: ask'],
    ],
    [
      'an agent without tools: calls of none ask',
      person(undefined),
      { agents: [helper({ tools: [] })] },
      ['read:user: ask', 'repo: ask'],
    ],
    ['an agent that is not listed', person(undefined), { agents: [] }, ['read:user: ask', 'repo: ask']],
    [
      'a service with keys',
      person(undefined),
      { provider: kaggle(), account: undefined, scopes: [] },
      ['other: allow'],
    ],
  ])('%s', (_what, rules, change, items) => {
    expect(words(preview(rules, change)).map((one) => one.replace('kaggle/', ''))).toEqual(items)
  })

  it('has titles, effects, and what decided', () => {
    const because = { by: 'preset', preset: 'ask-before-changes' }
    expect(preview(person(undefined), { scopes: ['repo'] })).toEqual([
      { kind: 'tool', name: 'github/list', title: 'list', effect: 'read', decision: 'allow', because },
      { kind: 'tool', name: 'github/open', title: 'open', effect: 'write', decision: 'ask', because },
      {
        ...{ kind: 'tool', name: 'github/erase', title: 'erase', effect: 'destructive', decision: 'ask', because },
        missingScopes: ['delete_repo'],
      },
      {
        ...{ kind: 'scope', name: 'repo', effect: 'write', decision: 'ask', sensitive: true },
        title: 'Read and change all your repositories, private ones too',
        because: { by: 'unknown', what: 'tool' },
      },
    ])
  })

  it('takes a scope without words, and one with the name of what every object has, for one that changes something', () => {
    const provider = oauth({
      ...{ id: 'github', name: 'Hub', authorizationEndpoint: 'https://a.example/a' },
      tokenEndpoint: 'https://a.example/t',
    })
    const items = preview(person('read-only'), {
      provider,
      agents: [helper({ tools: [] })],
      scopes: ['x', 'constructor'],
    })
    expect(items).toMatchObject([
      { title: 'x', effect: 'write', decision: 'never' },
      { title: 'constructor', effect: 'write', decision: 'never' },
    ])
  })

  it('holds the versions that a person has not seen', () => {
    const rules: AgentRules = {
      accounts: { [ID]: 'trusted' },
      providers: {},
      rules: [],
      seen: { 'github/open': ['0'] },
    }
    const [list, open] = preview(person(undefined, [], { agents: { helper: rules } }))
    // What the app declares is known, until they have seen another version of it.
    expect(list).toMatchObject({ decision: 'allow', because: { by: 'preset', preset: 'trusted' } })
    expect(open).toMatchObject({ decision: 'ask', because: { by: 'unknown', what: 'version' } })
  })
})

describe('the difference between two previews', () => {
  const changes = (before: PreviewItem[], after: PreviewItem[]) =>
    previewDiff(before, after).map(
      ({ item, before, after, change }) => `${item.name.replace('github/', '')}: ${before} → ${after} (${change})`,
    )
  const asking = preview(person(undefined))
  it.each<[what: string, before: PreviewItem[], after: PreviewItem[], changes: string[]]>([
    ['nothing', asking, preview(person('ask-before-changes')), []],
    [
      'another preset',
      asking,
      preview(person('read-only')),
      [
        'open: ask → never (less)',
        'erase: ask → never (less)',
        'read:user: ask → never (less)',
        'repo: ask → never (less)',
      ],
    ],
    [
      'a yes for a tool',
      asking,
      preview(person(undefined, [rule('allow')])),
      ['open: ask → allow (more)', 'repo: ask → allow (more)'],
    ],
    [
      'a yes for some arguments',
      asking,
      preview(person(undefined, [rule('allow', { when })])),
      ['open: ask → ask (arguments)', 'repo: ask → ask (arguments)'],
    ],
    ['a scope less', asking, preview(person(undefined), { scopes: ['repo'] }), ['read:user: ask → never (less)']],
    [
      'a scope that a tool needs is granted',
      preview(person('trusted'), { scopes: [] }),
      preview(person('trusted'), { scopes: ['repo'] }),
      ['list: ask → allow (more)', 'open: ask → allow (more)', 'repo: never → allow (more)'],
    ],
    [
      'a tool that does something else now is another one',
      preview(person('trusted'), { scopes: [], agents: [helper({ tools: [tool('open', 'read')] })] }),
      preview(person('trusted'), { scopes: [], agents: [helper({ tools: [tool('open', 'destructive')] })] }),
      ['open: allow → never (less)', 'open: never → ask (more)'],
    ],
    ['what is never and was absent is no change', [], preview(person('off')), []],
  ])('%s', (_what, before, after, expected) => {
    expect(changes(before, after)).toEqual(expected)
  })
})
