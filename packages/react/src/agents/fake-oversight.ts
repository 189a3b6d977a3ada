import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import type {
  Activity,
  Agent,
  AgentRequest,
  AgentRules,
  AgentTool,
  LastUses,
  LogVerdict,
  Oversight,
  PersonRules,
  PresenceChallenge,
  Rule,
  StopReceipt,
  StopTarget,
} from '@latchkey/core/agents'
import { lineOf, verdictFor, withPreset } from '@latchkey/core/internal'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { fakeAccount } from '../testing.ts'

const tool = (name: string, title: string, effect: AgentTool['effect'], edit?: readonly string[]): AgentTool => ({
  ...{ name, title, effect, provider: name.split('/')[0] ?? '', version: '1' },
  ...(edit && { edit }),
})

export const tools = {
  listRepos: tool('github/list_repos', 'List repositories', 'read'),
  createIssue: tool('github/create_issue', 'Create an issue', 'write', ['title', 'body']),
  listMessages: tool('gmail/list_messages', 'List messages', 'read'),
  sendMessage: tool('gmail/send_message', 'Send a message', 'write', ['subject', 'body']),
  deleteDraft: tool('gmail/delete_draft', 'Delete a draft', 'destructive'),
}

const agents: readonly Agent[] = [
  { id: 'assistant', name: 'Assistant', tools: Object.values(tools) },
  {
    ...{ id: 'mail', name: 'Mail helper', parent: 'assistant', providers: ['gmail'] },
    tools: [tools.listMessages, tools.sendMessage, tools.deleteDraft],
  },
]

const mailbox = (address: string, at: number) =>
  fakeAccount({
    ...{ provider: 'gmail', username: address, label: address, name: address, scopes: gmail().scopes },
    connectedAt: at,
  })

export const accounts: readonly ConnectedAccount[] = [
  fakeAccount({ connectedAt: 1 }),
  mailbox('ada@example.com', 2),
  mailbox('team@example.org', 3),
]

export const providers = [github(), gmail()]

const MINUTE = 60_000

/** A request to send a message, unless told otherwise. */
export function fakeRequest(facts: Partial<AgentRequest> = {}): AgentRequest {
  return {
    id: 'r1',
    agent: 'mail',
    account: 'gmail.ada@example.com',
    provider: 'gmail',
    tool: tools.sendMessage,
    args: {
      to: 'grace@example.com',
      subject: 'Minutes of Tuesday',
      body: 'Dear Grace,\n\nhere are the minutes. Please look at item 3 before Friday.\n\nAda',
    },
    createdAt: Date.now() - MINUTE,
    expiresAt: Date.now() + 20 * MINUTE,
    state: 'waiting',
    because: { by: 'preset', preset: 'ask-before-changes' },
    leases: ['once', 'chat', 'hour', 'always'],
    ...facts,
  }
}

/** Rules: an exception for good, a lease, and one preset that is not the default. */
export function fakeRules(): PersonRules {
  const of = { account: 'github.octocat' }
  const rules: Rule[] = [
    { id: 'e1', of, subject: { tool: tools.createIssue.name, version: '1' }, decision: 'allow' },
    {
      ...{ id: 'e2', of: { provider: 'gmail' }, subject: { tool: tools.sendMessage.name, version: '1' } },
      ...{ decision: 'allow', until: Date.now() + 40 * MINUTE, when: { to: { endsWith: '@example.com' } } },
    },
    { id: 'e3', of: { account: 'gmail.team@example.org' }, subject: { effect: 'destructive' }, decision: 'never' },
  ]
  const presets = { 'gmail.team@example.org': 'read-only' } as const
  return {
    agents: { assistant: { accounts: presets, providers: {}, rules } },
    stopped: { agents: {}, accounts: {} },
  }
}

/** So many uses, the newest first. */
export function fakeUses(count: number): readonly Activity[] {
  return Array.from({ length: count }, (_, index): Activity => {
    const seq = count - index
    const one = Object.values(tools)[seq % 5] as AgentTool
    const outcome = seq % 7 === 3 ? 'denied' : seq % 11 === 5 ? 'failed' : 'allowed'
    const isMail = one.provider === 'gmail'
    return {
      seq,
      at: new Date(Date.UTC(2026, 2, 14, 9, 30) - index * 17 * MINUTE).toISOString(),
      agent: isMail ? 'mail' : 'assistant',
      tool: one.name,
      provider: one.provider,
      account: isMail ? 'gmail.ada@example.com' : 'github.octocat',
      host: isMail ? 'gmail.googleapis.com' : 'api.github.com',
      effect: one.effect,
      decision: outcome === 'denied' ? 'never' : one.effect === 'read' ? 'allow' : 'ask',
      outcome,
      ...(outcome === 'denied' && { reason: 'access_denied' }),
      ...(outcome === 'failed' && { reason: 'temporarily_unavailable' }),
      action: 'use',
    }
  })
}

/** What a fake has at the start, and which of its calls fail or never end. */
export interface FakeOversightOptions {
  agents?: readonly Agent[]
  rules?: PersonRules
  requests?: readonly AgentRequest[]
  uses?: readonly Activity[]
  /** What a check of the log says. @default that it is whole */
  verdict?: LogVerdict
  lastUses?: LastUses
  /** Lets somebody be told what is new. @default nobody is */
  follow?: Oversight['follow']
  /** What is under way when something is stopped. */
  underWay?: StopReceipt['aborted']
  /** What a challenge is answered with. */
  challenge?: PresenceChallenge
  /** Calls that fail, by name. */
  failing?: readonly (keyof Oversight)[]
  /** Calls that never end, by name. */
  pending?: readonly (keyof Oversight)[]
}

/** An `Oversight` in memory, for stories and tests. Its methods are plain functions: spy on them freely. */
export function fakeOversight(options: FakeOversightOptions = {}): Oversight {
  let person = options.rules ?? fakeRules()
  let requests = options.requests ?? [fakeRequest()]
  const { uses = fakeUses(45), underWay = [] } = options

  const ofAgent = (id: string): AgentRules => person.agents[id] ?? { accounts: {}, providers: {}, rules: [] }
  const setAgent = (id: string, rules: Partial<AgentRules>) => {
    person = { ...person, agents: { ...person.agents, [id]: { ...ofAgent(id), ...rules } } }
  }
  const setStopped = (target: StopTarget, at: number | undefined) => {
    const { agents, accounts, everything } = person.stopped
    const mark = (marks: Readonly<Record<string, number>>, id: string) =>
      at === undefined
        ? Object.fromEntries(Object.entries(marks).filter(([one]) => one !== id))
        : { ...marks, [id]: at }
    const all = 'everything' in target ? at : everything
    person = {
      ...person,
      stopped: {
        agents: 'agent' in target ? mark(agents, target.agent) : agents,
        accounts: 'account' in target ? mark(accounts, target.account) : accounts,
        ...(all !== undefined && { everything: all }),
      },
    }
  }
  const isOf = (target: StopTarget, { agent = '', account }: { agent?: string; account?: string }) => {
    if ('agent' in target) return lineOf(options.agents ?? agents, agent).includes(target.agent)
    return 'everything' in target || target.account === account
  }

  const isForbidden = ({ agent, account: id, provider, tool, args }: AgentRequest) => {
    const line = lineOf(options.agents ?? agents, agent)
    const { decision, because } = verdictFor(person, line, { account: { id, provider }, tool, args }, Date.now())
    return decision === 'never' && because.by !== 'stopped'
  }

  const find = (id: string) => {
    const found = requests.find((request) => request.id === id)
    if (!found) throw new LatchkeyError('access_denied', 'This request is not there for you.')
    return found
  }
  /** A call that takes a moment, and may fail or not end. */
  const call = async <T>(name: keyof Oversight, run: () => T): Promise<T> => {
    await Promise.resolve()
    if (options.pending?.includes(name)) return new Promise<T>(() => {})
    if (options.failing?.includes(name)) throw new LatchkeyError('network', 'The app could not be reached.')
    return run()
  }

  return {
    agents: () => call('agents', () => options.agents ?? agents),
    rules: () => call('rules', () => person),
    change: (change) =>
      call('change', () => {
        const { rules } = ofAgent(change.agent)
        if ('end' in change) setAgent(change.agent, { rules: rules.filter(({ id }) => id !== change.end) })
        else if ('preset' in change) {
          const { agent, of, preset } = change
          person = withPreset(person, agent, { of, preset, providerOf: (id) => id.split('.')[0] })
        } else {
          const { of, tool: name, decision, effect, until } = change
          const subject = { tool: name, version: '1' }
          const limits = { ...(effect && decision !== 'never' && { effect }), ...(until && { until }) }
          const rule: Rule = { id: `e${rules.length + 10}`, of, subject, decision, ...limits }
          const others = rules.filter(({ subject }) => !(subject !== '*' && 'tool' in subject && subject.tool === name))
          setAgent(change.agent, { rules: [...others, rule] })
        }
        requests = requests.map((one) =>
          one.state === 'waiting' && isForbidden(one) ? { ...one, state: 'denied', withdrawn: true } : one,
        )
        return person
      }),
    requests: () => call('requests', () => requests.filter(({ state }) => state === 'waiting')),
    request: (id) => call('request', () => find(id)),
    answer: (id, given) =>
      call('answer', () => {
        const why = given.answer === 'no' && given.reason !== undefined && { reason: given.reason }
        const done: AgentRequest = { ...find(id), state: given.answer === 'yes' ? 'approved' : 'denied', ...why }
        requests = requests.map((request) => (request.id === id ? done : request))
        return done
      }),
    challenge: (id) =>
      call('challenge', () => {
        find(id)
        return options.challenge ?? { presence: 'asked', options: { challenge: 'AAAA' } }
      }),
    stop: (target) =>
      call('stop', () => {
        const denied = requests.filter((one) => one.state === 'waiting' && isOf(target, one))
        requests = requests.map((one) => (denied.includes(one) ? { ...one, state: 'denied' } : one))
        setStopped(target, Date.now())
        const ended = Object.entries(person.agents).flatMap(([agent, { rules }]) =>
          rules.filter(
            ({ of, until }) =>
              until !== undefined && isOf(target, { agent, ...('account' in of && { account: of.account }) }),
          ),
        )
        for (const [agent, { rules }] of Object.entries(person.agents))
          setAgent(agent, { rules: rules.filter((rule) => !ended.includes(rule)) })
        return {
          denied: denied.length,
          ended: ended.length,
          aborted: underWay.filter((one) => isOf(target, one)),
        }
      }),
    resume: (target) =>
      call('resume', () => {
        setStopped(target, undefined)
        return person
      }),
    activity: ({ before, limit = 20, agent, account } = {}) =>
      call('activity', () => {
        const rest = uses.filter(
          (use) =>
            (before === undefined || use.seq < before) &&
            (agent === undefined || use.agent === agent) &&
            (account === undefined || use.account === account),
        )
        const page = rest.slice(0, limit)
        const last = page.at(-1)
        return { uses: page, ...(last && rest.length > limit && { next: last.seq }) }
      }),
    verify: () =>
      call('verify', () => {
        const [last, first] = [uses[0], uses.at(-1)]
        const ends = { ...(first && { since: first.at }), ...(last && { until: last.at }) }
        return options.verdict ?? { ok: true, entries: uses.length, ...ends }
      }),
    lastUses: () => call('lastUses', () => options.lastUses ?? { uses: [] }),
    ...(options.follow && { follow: options.follow }),
  }
}
