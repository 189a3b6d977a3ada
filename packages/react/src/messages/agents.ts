import type { Comparison, Decision, Effect, Preset, ReadyState } from '@latchkey/core/agents'
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
  off: "Doesn't use this account. Your exceptions are kept.",
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

/** What was done, where it was no call of a tool. */
const actions: Record<'use' | 'deny' | 'ask' | 'answer' | 'rule' | 'stop' | 'resume' | 'connect' | 'revoke', string> = {
  use: 'Account used',
  deny: 'Account asked for',
  ask: 'Question to you',
  answer: 'Your answer',
  rule: 'You set what is allowed',
  stop: 'You stopped',
  resume: 'You started again',
  connect: 'Account connected',
  revoke: 'Account disconnected',
}

/** Why a use was blocked or failed, by code. */
const reasons: Record<
  | 'access_denied'
  | 'denied'
  | 'timeout'
  | 'login_required'
  | 'insufficient_scope'
  | 'invalid_target'
  | 'invalid_grant'
  | 'invalid_token'
  | 'secret_unavailable'
  | 'temporarily_unavailable'
  | 'network'
  | 'rules_unreadable'
  | 'blocked'
  | 'tool_error'
  | 'unsent'
  | 'unknown'
  | 'server_error'
  | 'malformed_response'
  | 'other',
  string
> = {
  access_denied: "It wasn't allowed",
  denied: 'You said no',
  timeout: 'There was no answer in time',
  login_required: "The account wasn't connected",
  insufficient_scope: 'The account had too few permissions',
  invalid_target: 'It was for another address',
  invalid_grant: 'The account had to be connected again',
  invalid_token: 'The account had to be connected again',
  secret_unavailable: 'The account had to be connected again',
  temporarily_unavailable: "The service wasn't available",
  network: "The service couldn't be reached",
  rules_unreadable: "What you allow couldn't be read",
  blocked: 'It held a secret',
  tool_error: 'The tool ended with an error',
  unsent: 'Nothing was sent',
  unknown: "How it ended isn't known",
  server_error: 'The service had a fault',
  malformed_response: "The service's answer wasn't understood",
  other: 'Something went wrong',
}

/** What a service answered to a use that failed. `status` is its number. */
const statuses: Record<'refused' | 'absent' | 'busy' | 'fault' | 'other', (status: number) => string> = {
  refused: (status) => `The service refused it (${status})`,
  absent: (status) => `Not found (${status})`,
  busy: (status) => `The service had too many requests (${status})`,
  fault: (status) => `The service had a fault (${status})`,
  other: (status) => `The service didn't accept it (${status})`,
}

/** Why something did not work. */
const errors: Record<'network' | 'access_denied' | 'login_required' | 'other', string> = {
  network: "The app couldn't be reached, and nothing changed. Try again.",
  access_denied: "You can't answer or edit this.",
  login_required: 'Sign in to the app again.',
  other: 'Something went wrong, and nothing changed. Try again.',
}

/** A tool with an account, before a run. */
const readyStates: Record<ReadyState, string> = {
  ok: 'Ready',
  never: 'Never allowed',
  missing: 'Needs an account',
  narrower: 'Needs more access',
  'ends-early': 'Ends during the run',
  asks: 'Will ask',
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
  actions,
  reasons,
  statuses,
  errors,

  loadFailed: "This couldn't be loaded.",
  retry: 'Try again',
  cancel: 'Cancel',
  done: 'Done',

  helperOf: (parent: string) => `Helper of ${parent}`,
  exceptionCount: (count: number) => plural(count, { one: (n) => `${n} exception`, other: (n) => `${n} exceptions` }),
  /** One exception beside its preset. `when` is "in 40 minutes". */
  exception: {
    is: (what: string, says: string) => `${what}: ${says}`,
    always: 'always allowed',
    until: (when: string) => `allowed, ends ${when}`,
    chat: 'allowed in one chat',
    allow: 'allowed',
    ask: 'asks',
    never: 'never',
    some: (says: string) => `${says}, in some cases`,
  },
  noAccounts: 'No account is connected yet.',
  noAgents: 'No agent can use this account.',
  noTools: 'There are no tools for this account.',
  changeShort: 'Edit',
  change: (name: string) => `Edit: ${name}`,
  access: (agent: string, account: string) => `What ${agent} can do with ${account}`,
  /** For a provider without an account. */
  holdsLater: (provider: string) => `Holds for each ${provider} account from when you connect it.`,
  detailsShort: 'Details',
  /** Above the choices for each tool. */
  choicesHold: (account: string) =>
    `What you choose here holds for ${account}, whatever a tool is called with, until you choose again.`,
  /** Above the choices for each tool, while none of them counts. */
  notUsed: {
    off: 'Off: nothing is used until you choose another preset.',
    notInChat: 'Not used in chat: nothing is used until you switch it on.',
    stopped: 'Stopped: nothing is used until you start it again.',
  },
  newTool: 'New',
  changedTool: 'Updated',
  limitedBy: (agent: string) => `Limited by ${agent}`,
  neverForGood: 'You can allow these only when you are asked.',
  exceptionsTitle: 'Exceptions',
  allAccounts: (provider: string) => `All ${provider} accounts`,
  someAccounts: (provider: string) => `Some ${provider} accounts`,
  anyArguments: 'Whatever it is called with',
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
  edited: 'Edited by you',
  unknownTool: "You haven't seen this tool before.",
  unknownVersion: 'This tool was updated since you last saw it.',
  mayHaveHappened: 'This may have happened already. Check before you allow it again.',
  remember: 'Remember',
  /** What a yes for longer is for. */
  reach: {
    chat: (account: string) => `Whatever it is called with, as ${account}, in this chat.`,
    hour: (account: string) => `Whatever it is called with, as ${account}, for an hour.`,
    always: (account: string) => `Whatever it is called with, as ${account}, until you end it.`,
  },
  editedOnce: 'As you edited it, it is allowed once.',
  allow: 'Allow',
  notNow: 'Not now',
  noSuchService: "This needs an account of a service that this app doesn't have.",
  notTold: "The agent couldn't go on.",
  sayWhy: 'Say why',
  why: 'Why not? (optional)',
  whyHint: 'The agent reads this.',
  deny: "Don't allow",
  useChanges: 'Use edits',
  sending: 'Sending your answer…',
  approved: 'Allowed',
  /** What comes of a yes that was said outside of the chat. */
  goesOn: 'The agent goes on where it asked, within 10 minutes. If that chat is closed, ask the agent again.',
  denied: 'Not allowed',
  /** Under `denied`, when the person changed their rules while it waited. */
  withdrawn: "Your rules don't allow this any more, so nothing is done.",
  expired: 'Not answered in time, so not allowed',
  /** `when` is "14:30", or "Sunday, 14:30". */
  expires: (when: string) => `Answer by ${when}`,
  /** Before what cannot be undone, the person may have to prove that they are there. */
  presence: {
    hint: 'You confirm this with your passkey.',
    asking: 'Confirm with your passkey…',
    cancelled: 'Not confirmed, so nothing was allowed. You can try again.',
    'not-enrolled':
      "This needs a passkey, and you have none in this app yet. Add one in the app's settings. The request waits until then.",
    unsupported: "This browser can't confirm with a passkey. Answer in another one.",
  },
  /** A link to a request of somebody else, or to one that is forgotten. */
  absent: "This request isn't there for you. It may be somebody else's, or over.",
  /** Read out by screen readers; never shown. */
  spoken: {
    asks: (agent: string, tool: string) => `${agent} asks you: ${tool}.`,
    soon: (agent: string) => `Less than a minute is left to answer ${agent}.`,
    ended: (tool: string, outcome: string) => `${tool}: ${outcome}.`,
    started: (name: string) => `${name} is started again.`,
    startedEverything: 'Everything is started again.',
  },

  inbox: 'Waiting for you',
  /** A chat may still wait for an account. */
  inboxEmpty: 'No call waits for your answer. An agent that needs an account, or more access, asks in its chat.',

  activity: 'Activity',
  activityEmpty: 'Nothing has happened yet.',
  /** A secret was about to leave. */
  leak: 'Blocked a leak',
  agent: 'Agent',
  allAgents: 'All agents',
  showMore: 'Show more',
  exportCsv: 'Export CSV',
  exportLines: 'Export JSON lines',
  exportingCount: (count: number) => plural(count, { other: (n) => `${n} so far…` }),
  exportedCount: (count: number) =>
    plural(count, { one: (n) => `${n} entry exported`, other: (n) => `All ${n} entries exported` }),
  /** What the person allowed, and does not any more. */
  ruleEnded: 'Ended',
  /** `when` is "14:30", or a date with a time. */
  ruleUntil: (when: string) => `Until ${when}`,
  /** A question that was put to the person. */
  asked: 'Asked you',
  /** What decided, beside an entry of the log. */
  because: {
    yes: 'You said yes',
    preset: (preset: string) => `Preset: ${preset}`,
    rule: 'Your exception',
    stopped: 'It was stopped',
    paused: 'The account was paused',
    unknown: { tool: "You hadn't seen this tool before", version: 'This tool was updated' },
  },
  /** `names` are those of arguments. */
  editedNames: (names: string) => `You edited: ${names}`,
  ruleGone: 'That exception has ended since.',
  argumentsGone: "What it was called with isn't kept any more.",
  verify: 'Check the log',
  verifying: 'Checking the log…',
  logWholeCount: (count: number) =>
    plural(count, {
      one: (n) => `${n} entry, as it was written.`,
      other: (n) => `${n} entries, all as they were written.`,
    }),
  /** `time` is "14:30". */
  today: (time: string) => `today at ${time}`,
  /** `when` is a date, or what `today` says. */
  logSince: (when: string) => `The first: ${when}.`,
  /** `when` is a date, or what `today` says. */
  logLast: (when: string) => `The last: ${when}.`,
  /** Beside a check of the log that is older than an entry. */
  logNewer: "What came after that isn't checked.",
  logChanged: 'Part of the log was changed after it was written.',
  logIntactCount: (count: number) =>
    plural(count, {
      one: (n) => `Your ${n} entry before the change is intact.`,
      other: (n) => `Your ${n} entries before the change are intact.`,
    }),
  /** `when` is a date, or what `today` says. */
  logUntil: (when: string) => `The last of them: ${when}.`,
  /** `when` is "5 minutes ago". */
  used: (when: string) => `Used ${when}`,
  /** `what` is a list of permissions. */
  unused: (what: string) => `Not used for 30 days: ${what}`,
  askLess: 'Ask for less',

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
  stopReturns: 'Your presets and what you always allow hold again when you start again.',
  /** `names` are those of the agents that it started. */
  stopsWith: (parent: string, names: string) => `What ${parent} started stops with it: ${names}.`,
  stopping: 'Stopping…',
  stopped: 'Stopped',
  stoppedWith: (parent: string) => `Stopped with ${parent}`,
  stoppedTitle: (name: string) => `${name} is stopped`,
  stoppedEverything: 'Everything is stopped',
  receiptDenied: (count: number) =>
    plural(count, { one: (n) => `${n} request was denied.`, other: (n) => `${n} requests were denied.` }),
  receiptEnded: (count: number) =>
    plural(count, { one: (n) => `${n} permission ended.`, other: (n) => `${n} permissions ended.` }),
  receiptNothing: 'Nothing was under way.',
  receiptWith: (names: string) => `Stopped with it: ${names}.`,
  receiptAborted: 'Cut off while under way:',
  mayHave: 'May have happened',
  startShort: 'Start again',
  start: (name: string) => `Start again: ${name}`,
  startEverything: 'Start everything again',

  /** What an agent can do with an account. */
  preview: {
    reads: 'Reads',
    changes: 'Changes',
    cannot: "Can't do",
    scopes: (provider: string) => `Permissions on ${provider}`,
    asksFirst: 'Asks first',
    depends: 'Depends on the details',
    sensitive: 'Sensitive',
    unused: 'No tool needs this',
    gains: 'Allows more',
    loses: 'Allows less',
    differs: 'Differs in some cases',
    /** Exceptions that end with a stricter preset. */
    ends: 'Ends',
    was: (decision: string) => `Before: ${decision}`,
    same: 'This makes no difference.',
    afterwards: 'Everything it can do then',
    /** The same, of a change that holds already. */
    present: 'Everything it can do now',
    nothing: "There's nothing it can do.",
    could: (agent: string) => `What ${agent} could do with it`,
    readOnly: (provider: string) => `Connect ${provider} read-only`,
    /** A preset that waits for a second click. */
    notYet: 'Not switched yet',
    choose: (preset: string) => `Switch to ${preset}`,
  },
  notConnected: 'Not connected',
  /** The switch of the account is off for this agent: it goes with no message to it. */
  notInChat: 'Not used in chat',

  /** Whether an agent can do a run without its person. */
  readyStates,
  readiness: {
    ready: 'Ready for this run',
    mendCount: (count: number) =>
      plural(count, {
        one: (n) => `${n} thing to fix before this run`,
        other: (n) => `${n} things to fix before this run`,
      }),
    asksCount: (count: number) =>
      plural(count, {
        one: () => 'Ready, but it will ask about a tool',
        other: (n) => `Ready, but it will ask about ${n} tools`,
      }),
    readyCount: (count: number) =>
      plural(count, { one: (n) => `${n} tool is ready`, other: (n) => `${n} tools are ready` }),
    needs: (scopes: string) => `Needs: ${scopes}`,
    /** `when` is "in 3 days". */
    firstEnd: (account: string, when: string) => `Access to ${account} ends first, ${when}.`,
    notGiven: "This app doesn't allow it",
    byPreset: (preset: string) => `You chose: ${preset}`,
    byRule: 'You made an exception',
    gone: 'No longer offered',
    giveAccess: 'Give more access',
    noTools: "This run doesn't need an account.",
  },
  lendShort: 'Allow for this run',
  lend: (tool: string) => `Allow for this run: ${tool}`,
}

/** The catalogue of every sentence about what agents may do. */
export type AgentMessages = typeof agentEnglish

/** A catalogue to lay over the English one: any part of it, one level deep. */
export type AgentMessageOverrides = {
  [Key in keyof AgentMessages]?: AgentMessages[Key] extends (...args: never[]) => string
    ? AgentMessages[Key]
    : Partial<AgentMessages[Key]>
}
