import { describe, expect, it } from 'vitest'
import { github } from '../providers/github.ts'
import { type AdviceOptions, unusedScopes } from './advice.ts'
import type { Agent, AgentTool } from './oversight.ts'

const DAY = 24 * 60 * 60_000
const NOW = 100 * DAY

const tool = (name: string, scopes?: string[]): AgentTool => ({
  ...{ name, title: name, provider: 'github', effect: 'read', version: '1' },
  ...(scopes && { scopes }),
})
const agents: readonly Agent[] = [
  { id: 'chief', name: 'Chief', tools: [tool('list', ['repo']), tool('gists', ['gist']), tool('any')] },
  { id: 'mail', name: 'Mail', tools: [{ ...tool('send', ['send']), provider: 'gmail' }] },
]
const use = (tool: string, daysAgo: number, more: object = {}) => ({
  ...{ account: 'github.a', agent: 'chief', tool, at: NOW - daysAgo * DAY },
  ...more,
})
const advice = (uses: ReturnType<typeof use>[], change: Partial<AdviceOptions> = {}) =>
  unusedScopes({
    provider: github(),
    account: { id: 'github.a', scopes: ['repo', 'gist', 'read:user'], connectedAt: 0 },
    agents,
    lastUses: { uses, since: 0 },
    now: NOW,
    ...change,
  })

describe('scopes that were not used for 30 days', () => {
  it('are those that tools name and that none of them needed', () => {
    expect(advice([use('list', 1)])).toEqual(['gist'])
    expect(advice([use('list', 1), use('gists', 29)])).toEqual([])
    expect(advice([use('list', 1), use('gists', 30)])).toEqual(['gist'])
    // Of another account.
    expect(advice([use('list', 1), use('gists', 1, { account: 'github.b' })])).toEqual(['gist'])
  })

  it.each([
    ['a tool that does not say what it needs', [use('list', 1), use('any', 2)], {}],
    ['a tool that is not declared', [use('list', 1), use('gone', 2)], {}],
    ['no known tool', [use('list', 1), use('', 2)], {}],
    ['a tool that is another agent’s', [use('list', 1, { agent: 'mail' })], {}],
    ['nothing in that time', [use('list', 31)], {}],
    [
      'an account that is younger',
      [use('list', 1)],
      { account: { id: 'github.a', scopes: ['repo', 'gist'], connectedAt: NOW - 29 * DAY } },
    ],
    ['a log that is younger', [use('list', 1)], { lastUses: { uses: [use('list', 1)], since: NOW - 29 * DAY } }],
    ['a log that is not known as a whole', [use('list', 1)], { lastUses: { uses: [use('list', 1)] } }],
    ['a required scope', [use('list', 1)], { provider: { ...github(), requiredScopes: ['gist'] } }],
  ] satisfies [string, ReturnType<typeof use>[], Partial<AdviceOptions>][])(
    'are not known with %s',
    (_what, uses, change) => {
      expect(advice(uses, change)).toEqual([])
    },
  )

  it('with a tool that was used long ago and is gone are known', () => {
    expect(advice([use('list', 1), use('gone', 40)])).toEqual(['gist'])
  })

  it('are never all of them', () => {
    const account = { id: 'github.a', scopes: ['gist'], connectedAt: 0 }
    const free = [{ ...agents[0]!, tools: [tool('list', []), tool('gists', ['gist'])] }]
    expect(advice([use('list', 1)], { account, agents: free })).toEqual([])
  })
})
