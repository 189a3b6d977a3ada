import {
  type AgentRules,
  accessPreview,
  type Decision,
  type Effect,
  type PersonRules,
  type Preset,
  type Rule,
} from '@latchkey/core/agents'
import { github } from '@latchkey/core/providers/github'
import { readPersonRules } from '@latchkey/core/server'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type AgentPolicy, readAgents } from './agents.ts'
import { type AccountTool, judgedTool } from './tools.ts'
import { verdictOf } from './turn.ts'

const NOW = Date.UTC(2026, 0, 1)
const OCTOCAT = 'github.1'
const EFFECTS = ['read', 'write', 'destructive'] as const
const TOOLS = EFFECTS.map((effect): AccountTool => ({ provider: 'github', toolName: effect, effect }))
const VERSIONS = new Map(TOOLS.map((tool) => [judgedTool(tool).name, judgedTool(tool).version]))

const perhaps = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 })
const seldom = <T>(value: T) => fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, fc.constant(value))
const ids = ['scout', 'chief', 'owner'] as const
const toolNames = fc.constantFrom(...VERSIONS.keys())
const rules = fc.record({
  id: fc.constantFrom('r1', 'r2'),
  of: fc.constantFrom<Rule['of']>({ account: OCTOCAT }, { account: 'github.2' }, { provider: 'github' }),
  subject: fc.oneof(
    toolNames.map((tool) => ({ tool, version: VERSIONS.get(tool) ?? '' })),
    toolNames.map((tool) => ({ tool, version: 'older' })),
    fc.constantFrom<Effect>(...EFFECTS).map((effect) => ({ effect })),
    fc.constant('*' as const),
  ),
  decision: fc.constantFrom<Decision>('allow', 'ask', 'never'),
  until: perhaps(NOW, NOW + 1),
  chat: perhaps('c1', 'c2'),
  when: perhaps({ to: { equals: 'ada' } }, { amount: { max: 100 } }),
}) as fc.Arbitrary<Rule>
const presets = fc.constantFrom<Preset>('read-only', 'ask-before-changes', 'trusted', 'trusted', 'off')
const agentRules = fc.record({
  accounts: fc.dictionary(fc.constant(OCTOCAT), presets),
  providers: fc.dictionary(fc.constant('github'), presets),
  rules: fc.array(rules, { maxLength: 4 }),
  seen: seldom({ 'github/write': ['older'] }),
}) as fc.Arbitrary<AgentRules>
const marks = (...names: string[]) => fc.dictionary(fc.constantFrom(...names), fc.constant(1), { maxKeys: 1 })
const persons = fc.record({
  agents: fc.dictionary(fc.constantFrom(...ids), agentRules),
  stopped: fc.record({
    agents: fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, marks(...ids)),
    accounts: fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, marks(OCTOCAT, 'github.2')),
    everything: seldom(1),
  }),
}) as fc.Arbitrary<PersonRules>
/** A parent is always above its child, so no line is a circle. */
const families = fc
  .tuple(perhaps('chief', 'owner'), perhaps('owner'), fc.array(seldom(['google']), { minLength: 3, maxLength: 3 }))
  .map(([first, second, [one, two, three]]): Record<string, AgentPolicy> => {
    const policy = (parent: string | undefined, providers: string[] | undefined, tools: AccountTool[]) => ({
      ...(parent !== undefined && { parent }),
      ...(providers && { providers }),
      tools,
    })
    return { scout: policy(first, one, TOOLS), chief: policy(second, two, []), owner: policy(undefined, three, []) }
  })

it('what the page expects of a call without arguments is what the server says of it', () => {
  const met = new Map<string, number>()
  const settings = { chat: perhaps('c1'), paused: seldom(true), isDeclared: fc.boolean() }
  fc.assert(
    fc.property(families, persons, fc.record(settings), (policies, person, { chat, paused, isDeclared }) => {
      // Both have the rules as they are stored and sent.
      const said = readPersonRules(JSON.parse(JSON.stringify(person)))
      if (!said) throw new Error('These are no rules.')
      const { scout, ...others } = policies
      const known = readAgents(isDeclared ? policies : { scout: { ...scout, tools: [] }, ...others })

      const facts = JSON.stringify({ status: paused ? 'paused' : 'connected' })
      const owner = { tenant: 'one', user: 'ada' }
      const row = { ...owner, provider: 'github', account: OCTOCAT, facts, sealed: new Uint8Array(), kid: '', rev: 1 }
      const server = (tool: AccountTool | undefined) => {
        if (!known.allows('scout', 'github')) return { decision: 'never' }
        const question = { agents: known.chainOf('scout'), tool: tool && judgedTool(tool), chat }
        const { decision, because } = verdictOf({ rules: said, now: NOW }, row, question)
        return { decision, because }
      }

      const page = accessPreview({
        ...{ agents: known.list(), agent: 'scout', rules: said, chat, now: NOW },
        ...{ provider: github(), account: { id: OCTOCAT, paused }, scopes: isDeclared ? [] : ['repo'] },
      })
      const asked = isDeclared ? TOOLS : [undefined]
      expect(page).toHaveLength(asked.length)
      const hasConditions = Object.values(said.agents).some((one) => one.rules.some(({ when }) => when))
      for (const [at, tool] of asked.entries()) {
        const { decision, because, depends } = page[at] ?? {}
        const word = depends ? 'depends' : `${decision} ${because?.by ?? 'by the app'}`
        met.set(word, (met.get(word) ?? 0) + 1)
        if (depends) continue
        const verdict = server(tool)
        expect(verdict.decision).toBe(decision)
        // A rule about arguments may be a further reason for the same.
        if (!hasConditions) expect(verdict.because).toEqual(because)
      }
    }),
    { numRuns: 1000 },
  )
  expect([...met.keys()].sort()).toEqual([
    ...['allow preset', 'allow rule', 'ask preset', 'ask rule', 'ask unknown', 'depends'],
    ...['never by the app', 'never paused', 'never preset', 'never rule', 'never stopped'],
  ])
})
