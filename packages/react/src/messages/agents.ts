import type { Comparison, Decision, Effect, Preset } from '@latchkey/core/agents'
import { pluralOf } from './plural.ts'

type Value = NonNullable<Comparison[keyof Comparison]>

const plural = pluralOf('en')

/** A person's choices, by preset. */
const presets: Record<Preset, string> = {
  'read-only': 'Read only',
  'ask-before-changes': 'Ask before changes',
  trusted: 'Trusted',
  off: 'Off',
}

const presetMeans: Record<Preset, string> = {
  'read-only': 'Reads without asking. Changes nothing.',
  'ask-before-changes': 'Reads without asking. Asks before each change.',
  trusted: "Reads and changes without asking. Asks before what can't be undone.",
  off: "Doesn't use this account.",
}

/** What becomes of a call. */
const decisions: Record<Decision, string> = { allow: 'Allowed', ask: 'Asks', never: 'Never' }

/** What a person can choose for a tool. */
const choices: Record<Decision, string> = { allow: 'Allow', ask: 'Ask', never: 'Never' }

const effects: Record<Effect, string> = {
  read: 'Reads',
  write: 'Changes something',
  destructive: "Can't be undone",
}

/** What an exception is about when it names no tool. */
const everything: Record<Effect | 'all', string> = {
  all: 'Everything',
  read: 'Everything that reads',
  write: 'Everything that changes something',
  destructive: "Everything that can't be undone",
}

/** One condition of an exception. `name` is the name of an argument. */
const comparisons: Record<keyof Comparison, (name: string, value: Value) => string> = {
  equals: (name, value) => `${name} is ${value}`,
  in: (name, values) => `${name} is one of ${values}`,
  startsWith: (name, value) => `${name} begins with ${value}`,
  endsWith: (name, value) => `${name} ends with ${value}`,
  min: (name, value) => `${name} is at least ${value}`,
  max: (name, value) => `${name} is at most ${value}`,
}

/** How long a yes holds. */
const leases: Record<'once' | 'chat' | 'hour' | 'always', string> = {
  once: 'Just this once',
  chat: 'In this chat',
  hour: 'For an hour',
  always: 'Always',
}

const outcomes: Record<'allowed' | 'denied' | 'failed', string> = {
  allowed: 'Done',
  denied: 'Blocked',
  failed: 'Failed',
}

/** Why something did not work. */
const errors: Record<'network' | 'access_denied' | 'login_required' | 'other', string> = {
  network: "The app couldn't be reached, and nothing changed. Try again.",
  access_denied: "You can't answer or change this.",
  login_required: 'Sign in to the app again.',
  other: 'Something went wrong, and nothing changed. Try again.',
}

/** The English sentences about what agents may do. */
export const agentEnglish = {
  presets,
  presetMeans,
  decisions,
  choices,
  effects,
  everything,
  comparisons,
  leases,
  outcomes,
  errors,

  loadFailed: "This couldn't be loaded.",
  retry: 'Try again',
  cancel: 'Cancel',
  done: 'Done',

  helperOf: (parent: string) => `Helper of ${parent}`,
  exceptionCount: (count: number) => plural(count, { one: (n) => `${n} exception`, other: (n) => `${n} exceptions` }),
  noAccounts: 'No account is connected yet.',
  noAgents: 'No agent can use this account.',
  noTools: 'There are no tools for this account.',
  changeShort: 'Change',
  change: (name: string) => `Change: ${name}`,
  access: (agent: string, account: string) => `What ${agent} can do with ${account}`,
  detailsShort: 'Details',
  newTool: 'New',
  changedTool: 'Changed',
  limitedBy: (agent: string) => `Limited by ${agent}`,
  neverForGood: 'You can allow these only when you are asked.',
  exceptionsTitle: 'Exceptions',
  allAccounts: (provider: string) => `All ${provider} accounts`,
  /** `when` is "in 40 minutes". */
  ends: (when: string) => `Ends ${when}`,
  inOneChat: 'In one chat',
  untilEnded: 'Until you end it',
  endShort: 'End',
  end: (what: string) => `End: ${what}`,

  /** Who asks, and for what. */
  asks: (agent: string, provider: string) => `${agent} wants to use ${provider}`,
  asWhom: (account: string) => `As ${account}`,
  value: 'Value',
  showAll: 'Show all',
  showLess: 'Show less',
  moreArguments: (count: number) => plural(count, { other: (n) => `Show ${n} more` }),
  edited: 'Changed by you',
  unknownTool: "You haven't seen this tool before.",
  unknownVersion: 'This tool has changed since you last saw it.',
  mayHaveHappened: 'This may have happened already. Check before you allow it again.',
  remember: 'Remember',
  editedOnce: 'With your changes it is allowed once.',
  allow: 'Allow',
  notNow: 'Not now',
  why: 'Why not? (optional)',
  whyHint: 'The agent reads this.',
  deny: "Don't allow",
  useChanges: 'Use changes',
  sending: 'Sending your answer…',
  approved: 'Allowed',
  denied: 'Not allowed',
  expired: 'Not answered in time, so not allowed',
  /** `when` is "in 4 minutes". */
  expires: (when: string) => `Answer ${when}`,
  /** Read out by screen readers; never shown. */
  spoken: {
    asks: (agent: string, tool: string) => `${agent} asks you: ${tool}.`,
    soon: (agent: string) => `Less than a minute is left to answer ${agent}.`,
  },

  inbox: 'Waiting for you',
  inboxEmpty: 'Nothing is waiting for you.',

  activity: 'Activity',
  activityEmpty: 'Nothing has happened yet.',
  /** A secret was about to leave. */
  leak: 'Blocked a leak',
  agent: 'Agent',
  allAgents: 'All agents',
  showMore: 'Show more',
  exportCsv: 'Export CSV',
  exportLines: 'Export JSON lines',

  stopShort: 'Stop',
  stop: (name: string) => `Stop ${name}`,
  stopEverything: 'Stop everything',
  stopTitle: (name: string) => `Stop ${name}?`,
  stopEverythingTitle: 'Stop everything?',
  stopAgentBody: (name: string) => `${name} can't use any account until you start it again.`,
  stopAccountBody: (name: string) => `No agent can use ${name} until you start it again.`,
  stopEverythingBody: 'No agent can use any account until you start again.',
  stopEnds: {
    calls: 'What is under way is cut off.',
    requests: 'Requests that wait are denied.',
    leases: 'Permissions for a chat or an hour end.',
  },
  stopping: 'Stopping…',
  stopped: 'Stopped',
  stoppedTitle: (name: string) => `${name} is stopped`,
  stoppedEverything: 'Everything is stopped',
  receiptDenied: (count: number) =>
    plural(count, { one: (n) => `${n} request was denied.`, other: (n) => `${n} requests were denied.` }),
  receiptEnded: (count: number) =>
    plural(count, { one: (n) => `${n} permission ended.`, other: (n) => `${n} permissions ended.` }),
  receiptNothing: 'Nothing was under way.',
  receiptAborted: 'Cut off while under way:',
  mayHave: 'May have happened',
  startShort: 'Start again',
  start: (name: string) => `Start again: ${name}`,
}

/** The catalogue of every sentence about what agents may do. */
export type AgentMessages = typeof agentEnglish

/** A catalogue to lay over the English one: any part of it, one level deep. */
export type AgentMessageOverrides = {
  [Key in keyof AgentMessages]?: AgentMessages[Key] extends (...args: never[]) => string
    ? AgentMessages[Key]
    : Partial<AgentMessages[Key]>
}
