import { LatchkeyError } from '../errors.ts'
import { isObject } from '../json.ts'
import { callBroker } from '../protocol/broker.ts'
import type { RequestOptions } from '../protocol/http.ts'
import type {
  Activity,
  Agent,
  AgentRequest,
  AgentTool,
  LastUse,
  LastUses,
  LogVerdict,
  Oversight,
  PresenceChallenge,
  StopReceipt,
} from './oversight.ts'
import {
  decisionOf,
  effectOf,
  finite,
  listOf,
  oneOf,
  preset,
  type Read,
  readPersonRules,
  readRule,
  word,
} from './read-rules.ts'
import type { Because } from './rules.ts'

/** Options of {@link createOversight}. */
export interface OversightOptions {
  /** Address of the app's broker, without a slash at its end. */
  broker: string
}

/** Milliseconds. A log of millions of entries is read from its beginning. */
const CHECK_LIMIT = 300_000

/**
 * What a person sees and says of agents, by the routes of the app's broker: `agents`, `rules`, `requests`, `stop`,
 * `resume` and `activity`. Nothing is kept here: each call is one request, which carries the person's session.
 *
 * Calls reject with a LatchkeyError: `malformed_response` for an answer that is not understood as a whole, `network`, or
 * the broker's code.
 */
export function createOversight({ broker }: OversightOptions): Oversight {
  async function ask<T>(
    read: Read<T>,
    method: 'GET' | 'POST',
    route: string,
    body?: object,
    options?: RequestOptions,
  ): Promise<T> {
    const answer = read(await callBroker<unknown>(broker, route, body, method, options))
    if (answer !== undefined) return answer
    const words = 'The server of this app gave an answer that could not be understood.'
    throw new LatchkeyError('malformed_response', words, { source: 'app' })
  }
  return {
    agents: () => ask(inside('agents', manyOf(readAgent)), 'GET', 'agents'),
    rules: () => ask(readRules, 'GET', 'rules'),
    change: (change) => ask(readRules, 'POST', 'rules', change),
    requests: () => ask(inside('requests', manyOf(readRequest)), 'GET', 'requests'),
    request: async (id) => ask(inside('request', readRequest), 'GET', routeOf(id)),
    answer: async (id, answer) => ask(inside('request', readRequest), 'POST', routeOf(id), answer),
    challenge: async (id, answer) => ask(readChallenge, 'POST', `${routeOf(id)}/challenge`, answer),
    stop: (target) => ask(readReceipt, 'POST', 'stop', target),
    resume: (target) => ask(readRules, 'POST', 'resume', target),
    activity(options = {}) {
      const asked = Object.entries(options).filter(([, value]) => value !== undefined)
      const query = new URLSearchParams(asked.map(([name, value]) => [name, `${value}`]))
      return ask(readUses, 'GET', asked.length > 0 ? `activity?${query}` : 'activity')
    },
    verify: (options) => ask(readVerdict, 'POST', 'activity/verify', {}, { limit: CHECK_LIMIT, ...options }),
    lastUses: () => ask(readLastUses, 'GET', 'activity/last'),
    follow(listener, signal) {
      import('./live.ts').then(
        ({ follow }) => follow({ broker, readUse, listener, signal }),
        () => signal.aborted || listener({ type: 'lost' }),
      )
    },
  }
}

/** The route of a request. Its id may come out of a link that anybody wrote, and dots would lead to another route. */
function routeOf(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new LatchkeyError('access_denied', 'There is no such request.', { next: 'none' })
  return `requests/${encodeURIComponent(id)}`
}

/** Entries. A longer list is none that a person is shown. */
const MOST = 1000

const manyOf =
  <T>(read: Read<T>): Read<T[]> =>
  (value) =>
    Array.isArray(value) && value.length <= MOST ? listOf(value, read) : undefined

const inside =
  <T>(name: string, read: Read<T>): Read<T> =>
  (value) =>
    isObject(value) ? read(value[name]) : undefined

/** Names of members that may be absent. */
type Optional<T> = { [Name in keyof T]-?: Record<never, never> extends Pick<T, Name> ? Name : never }[keyof T]
type Reads<T, Names extends keyof T> = { [Name in Names]-?: Read<Exclude<T[Name], undefined>> }

/** Reads an object with these members, of which the further ones may be absent. All others are left out. */
const objectOf =
  <T extends object>(required: Reads<T, Exclude<keyof T, Optional<T>>>, further: Reads<T, Optional<T>>): Read<T> =>
  (value) => {
    if (!isObject(value)) return undefined
    const members: [string, unknown][] = []
    for (const [name, read] of Object.entries<Read<unknown>>({ ...required, ...further })) {
      const isAbsent = !Object.hasOwn(value, name)
      if (isAbsent && name in further) continue
      const member = read(isAbsent ? undefined : value[name])
      if (member === undefined) return undefined
      members.push([name, member])
    }
    return Object.fromEntries(members) as T
  }

const text: Read<string> = (value) => (typeof value === 'string' ? value : undefined)
/** A time as text, which can be shown as a date. */
const time: Read<string> = (value) =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined
const yes: Read<true> = (value) => value === true || undefined
const readRules = inside('rules', readPersonRules)
const edit = manyOf(word)
const version = word

const readTool = objectOf<AgentTool>(
  { name: word, title: text, provider: word, effect: effectOf, version },
  { scopes: manyOf(word), edit },
)

const readAgent = objectOf<Agent>(
  { id: word, name: text, tools: manyOf(readTool) },
  { parent: word, providers: manyOf(word) },
)

const BECAUSE: { [By in Because['by']]: Read<Extract<Because, { by: By }>> } = {
  paused: objectOf({ by: oneOf('paused') }, {}),
  stopped: objectOf({ by: oneOf('stopped'), what: oneOf('account', 'agent', 'everything') }, {}),
  rule: objectOf({ by: oneOf('rule'), rule: readRule }, {}),
  unknown: objectOf({ by: oneOf('unknown'), what: oneOf('tool', 'version') }, {}),
  preset: objectOf({ by: oneOf('preset'), preset }, {}),
}

const readBecause: Read<Because> = (value) => {
  const by = isObject(value) ? oneOf('paused', 'stopped', 'rule', 'unknown', 'preset')(value.by) : undefined
  return by && BECAUSE[by](value)
}

const readRequest = objectOf<AgentRequest>(
  {
    id: word,
    agent: word,
    account: word,
    provider: word,
    tool: objectOf<AgentRequest['tool']>({ name: word, title: text, effect: effectOf, version }, { edit }),
    // JSON leaves out what is undefined.
    args: (value) => value ?? null,
    createdAt: finite,
    expiresAt: finite,
    state: oneOf('waiting', 'approved', 'denied'),
    because: readBecause,
    leases: manyOf(oneOf('once', 'chat', 'hour', 'always')),
  },
  {
    ...{ mayHaveHappened: yes, toolCallId: text, reason: text, withdrawn: yes },
    edited: (value) => (isObject(value) ? value : undefined),
    presence: oneOf('needed', 'if-changed'),
  },
)

const readChallenge: Read<PresenceChallenge> = (value) => {
  const presence = isObject(value) ? oneOf('asked', 'not-enrolled', 'not-needed')(value.presence) : undefined
  if (presence !== 'asked') return presence && { presence }
  return isObject(value) && isObject(value.options) ? { presence, options: value.options } : undefined
}

const readReceipt = objectOf<StopReceipt>(
  {
    denied: finite,
    ended: finite,
    aborted: manyOf(
      objectOf<StopReceipt['aborted'][number]>({ agent: word, account: word, tool: word, effect: effectOf }, {}),
    ),
  },
  {},
)

const readUse = objectOf<Activity>(
  { seq: finite, at: time, outcome: oneOf('allowed', 'denied', 'failed'), action: text },
  {
    agent: word,
    tool: word,
    provider: word,
    account: word,
    use: word,
    route: text,
    host: text,
    effect: effectOf,
    decision: decisionOf,
    rule: text,
    request: word,
    edited: text,
    preset,
    lease: oneOf('once', 'chat', 'always', 'ended'),
    until: time,
    reason: text,
  },
)

const readUses = objectOf<Awaited<ReturnType<Oversight['activity']>>>({ uses: manyOf(readUse) }, { next: finite })

const readVerdict = objectOf<LogVerdict>(
  { ok: (value) => (typeof value === 'boolean' ? value : undefined), entries: finite },
  { since: time, until: time },
)

const readLastUses = objectOf<LastUses>(
  { uses: manyOf(objectOf<LastUse>({ account: word, agent: word, at: finite }, { tool: word })) },
  { since: finite },
)
