import type { CardStatus, Custody, ErrorCode, Reason, RevokedToken } from '@latchkey/core'
import type { laterEnglish } from './en.lazy.ts'

/** The words of an account's or a card's status. */
type StatusWords = Record<CardStatus, string>
type ReasonWords = Partial<Record<Reason, (name: string) => string>>
type ErrorWords = Partial<Record<ErrorCode, (name: string) => string>>

const status: StatusWords = {
  loading: 'Loading',
  disconnected: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  expiring: 'Expires soon',
  paused: 'Paused',
  'needs-reconnect': 'Needs reconnect',
  error: 'Error',
}

const reasons: ReasonWords = {
  expired: (name) => `Access to ${name} has expired.`,
  revoked: (name) => `Access was revoked at ${name}.`,
  insufficient_scope: (name) => `${name} needs your permission for more.`,
  invalid_token: (name) => `${name} no longer accepts what was kept here.`,
  issuer_changed: (name) => `${name} has another sign-in server now. Connect the account again.`,
  resource_changed: (name) => `${name} is at another address now. Connect the account again.`,
  secret_unavailable: () => 'This browser can no longer read what it kept.',
  offline: (name) => `You are offline. ${name} is used again when you are back.`,
  unverified: () => 'Not checked yet',
  access_denied: (name) => `You said no at ${name}.`,
  popup_blocked: () => 'Your browser blocked the window.',
  popup_closed: () => 'The window seems to be closed.',
  embedded: (name) => `${name} may not reach this app inside of another page.`,
}

const errors: ErrorWords = {
  account_changed: (name) => `You signed in to another ${name} account. Nothing was changed.`,
  invalid_client: (name) => `${name} does not accept this app. Its developers can fix that.`,
  invalid_grant: (name) => `${name} did not accept the sign-in. Nothing was connected.`,
  flow_lost: (name) => `The sign-in at ${name} was lost on its way back. Nothing was connected.`,
  flow_unknown: (name) => `An answer from ${name} arrived that nobody here had asked for. Nothing was connected.`,
  insufficient_scope: (name) => `${name} did not grant what was asked for.`,
  invalid_scope: (name) => `${name} does not offer the access that was asked for.`,
  invalid_token: (name) => `${name} did not accept this key. Check that you copied all of it.`,
  issuer_mismatch: (name) => `The answer did not come from ${name}. Nothing was connected.`,
  network: (name) => `${name} could not be reached. Check your connection and try again.`,
  server_error: (name) => `${name} had a problem. Try again in a moment.`,
  state_mismatch: (name) => `The answer from ${name} did not belong to this sign-in. Nothing was connected.`,
  temporarily_unavailable: (name) => `${name} is busy. Try again in a moment.`,
  timeout: (name) => `Signing in at ${name} took too long. Try again.`,
}

const custody: Record<Custody, string> = {
  sealed: 'Kept in this browser, sealed.',
  plain: 'Kept in this browser, as plain text.',
  session: 'Kept in this tab until you close it.',
  memory: 'Kept nowhere: accounts last until this page closes.',
  vault: 'Kept on the server, encrypted.',
}

const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** The reader's English: dates are not written alike wherever English is read. */
function readersEnglish(): string {
  const tags = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])
  return tags.find((tag) => /^en\b/i.test(tag)) ?? 'en'
}

/** Every sentence a person can see or hear, in English. `name` is a provider's name. */
export const english = {
  /** The language of the words, which dates and durations are written in too: a BCP 47 tag. */
  locale: readersEnglish() as string | undefined,
  /** The writing direction of the words. @default that of the page */
  dir: undefined as 'ltr' | 'rtl' | undefined,
  /** Words for what providers say of themselves in English, by provider id: the description, and scopes' meanings. */
  providers: {} as Readonly<Record<string, { description?: string; scopes?: Readonly<Record<string, string>> }>>,
  status,
  /** Why an account or provider has its status. */
  reasons,
  /** What went wrong. Codes without an entry show the error's own message. */
  errors,
  /** Where tokens and keys rest. */
  custody,

  title: 'Connected Accounts',
  description: 'Connect the accounts your agent works with. You can disconnect them at any time.',
  notPersistent: 'This browser keeps nothing: accounts last until this page closes.',
  notPersistentHint: 'Allow this site to store data, then reload.',
  reload: 'Reload',
  noProviders: 'There is nothing to connect here yet.',
  search: 'Search',
  clearSearch: 'Clear search',
  found: (count: number, all: number) => `${count} of ${all}`,
  noMatch: (query: string) => `Nothing matches “${query}”.`,
  groupConnected: 'Connected',
  groupAvailable: 'Available',

  connectShort: 'Connect',
  connect: (name: string) => `Connect ${name}`,
  addAnother: (name: string) => `Add another ${name} account`,
  sameAccount: (name: string, account: string) =>
    `${account} is connected already. To add another account, sign in as somebody else at ${name} first.`,
  reconnectShort: 'Reconnect',
  /** `account` is given when a provider has several. */
  reconnect: (name: string, account?: string) => `Reconnect ${named(name, account)}`,
  disconnectShort: 'Disconnect',
  disconnect: (name: string, account?: string) => `Disconnect ${named(name, account)}`,
  disconnectAll: 'Disconnect all',
  pauseShort: 'Pause',
  pause: (name: string, account?: string) => `Pause ${named(name, account)}`,
  resumeShort: 'Resume',
  resume: (name: string, account?: string) => `Resume ${named(name, account)}`,
  paused: 'Your agent does not use this account until you resume it.',
  more: (name: string, account?: string) => `More for ${named(name, account)}`,
  isDefault: 'Default',
  makeDefaultShort: 'Use by default',
  makeDefault: (account: string) => `Use by default: ${account}`,
  switcher: (name: string) => `${name} account to use by default`,
  /** On a provider's one-line form, when there are several. */
  accountCount: (count: number) => `${count} accounts`,
  details: (name: string) => `Details of ${name}`,
  missing: (name: string) => `Not granted at ${name}:`,
  grantShort: 'Grant access',
  grant: (name: string, account?: string) => `Grant access at ${named(name, account)}`,
  tryAgainShort: 'Try again',
  tryAgain: (name: string) => `Try again with ${name}`,
  cancelShort: 'Cancel',
  cancelConnect: (name: string) => `Cancel connecting ${name}`,
  dismiss: 'Dismiss',

  waiting: (name: string) => `Waiting for ${name}… finish in the window that opened.`,
  popupClosed: 'Did you close the window?',
  popupBlocked: 'Your browser blocked the window.',
  openInNewTab: 'Open in a new tab',
  openInThisTab: 'Open in this tab',
  copyLink: 'Copy link',
  linkCopied: 'Link copied. Open it in this browser.',
  linkNotCopied: 'The link could not be copied.',
  embedded: (name: string) => `Did you close the window? If not, ${name} cannot reach this app inside of another page.`,
  openOwnTab: 'Open the app in its own tab',
  denied: (name: string) => `You said no at ${name}. Nothing was connected.`,
  serverSaid: (name: string, detail: string) => `${name} said: “${detail}”`,
  notConfigured: 'Not configured',
  notConfiguredHint: (name: string) => `This app is not set up for ${name} yet.`,

  apiKeyBadge: 'API Key',
  access: (name: string) => `What your agent may do at ${name}`,
  sensitive: 'Sensitive',
  expires: (when: string) => `Expires ${when}`,
  expired: (when: string) => `Expired ${when}`,
  renews: (when: string) => `Renewed by itself ${when}`,
  renewsOnUse: 'Renewed by itself when it is used next',
  endless: 'Until you disconnect it',

  /** The facts about an account. */
  factAccount: 'Account',
  factSince: 'Connected',
  factUntil: 'Access',
  factAccess: 'May do',
  profile: (name: string) => `Profile at ${name}`,
  rawScopesShort: 'Scope names',
  rawScopes: (name: string) => `Scope names at ${name}`,
  extraScope: 'Not asked for',

  keyForm: (name: string) => `Connect ${name} with a key`,
  getApiKey: 'Get API Key',
  keyFileHint: (file: string) => `Paste the key, or paste or drop the whole ${file}.`,
  checking: 'Checking…',
  keyMissing: (label: string) => `Enter your ${label}.`,
  keyUnprintable: (label: string) =>
    `This ${label} has line breaks or invisible characters in it. Copy it again and paste it as it is.`,
  keyTooLong: (label: string) => `This is too long for a ${label}. Check what you pasted.`,
  keyFileUnreadable: (file: string) =>
    `This is not a ${file} with a key in it. Download it again, or paste the key alone.`,

  disconnectTitle: (name: string) => `Disconnect ${name}?`,
  disconnectBody: (name: string, account: string) =>
    `Your agent loses access to ${account} at once. The access is removed from this app and ended at ${name} where ${name} allows it.`,
  disconnectKeyBody: (name: string, account: string) =>
    `Your agent loses access to ${account} at once. The key is removed from this app; it stays valid at ${name} until you revoke it there.`,
  disconnecting: 'Disconnecting…',
  disconnectedTitle: (name: string) => `${name} is disconnected`,
  done: 'Done',
  disconnectAllTitle: 'Disconnect all accounts?',
  disconnectAllBody: (count: number) =>
    `Your agent loses access to all ${count} accounts at once. They are removed from this app, and their access is ended at each service that allows it.`,
  /** Receipts. `account` is given when there were several. */
  revoked: (name: string, tokens: readonly RevokedToken[], account?: string) =>
    `${account ? `${account}: access` : 'Access'} revoked at ${name}${tokens.length > 0 ? ` (${tokens.map((token) => token.replace('_', ' ')).join(' and ')})` : ''}.`,
  removedKey: (name: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. The key stays valid at ${name} until you revoke it there.`,
  removed: (name: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. ${name} may still let this app in until you end that there.`,
  removedUntold: (name: string, why: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. ${name} could not be told: ${why}`,
  untoldNetwork: 'the connection failed.',
  untoldOther: 'it answered with an error.',
  manage: (name: string) => `Do it at ${name}`,

  changedTitle: (to: string) => `You signed in as ${to}`,
  changed: (from: string, to: string) => `You signed in as ${to}, not as ${from}. Nothing has changed yet.`,
  changedBody: (from: string, to: string) =>
    `${from} was connected here. Keep both accounts, or put ${to} in the place of ${from}, which is then removed here.`,
  choose: 'Choose',
  keepBoth: 'Keep both',
  replace: (from: string) => `Replace ${from}`,

  promptTitle: (name: string, tool?: string) => `${name} is needed to ${tool ? `run ${tool}` : 'continue'}`,
  promptScopes: 'It asks to:',
  pausedPrompt: 'You paused this account.',
  promptLaterShort: 'Not now',
  promptLater: (name: string) => `Not now: ${name}`,
  promptConnected: (name: string, account: string) => `${name} is connected as ${account}`,

  promptPage: (name: string, host: string) => `${name} asks you to visit ${host}`,
  openPage: (host: string) => `Open ${host}`,
  pageDone: 'I have done this',

  addServer: 'Add an MCP server',
  addServerLabel: 'URL, or the mcpServers JSON of an agent',
  addServerNext: 'Continue',
  addServerAsk: (count: number) =>
    count === 1 ? 'Ask this server for a login?' : `Ask these ${count} servers for a login?`,
  addServerWarning: 'Nothing was sent yet. Add only servers that you know: their tools can do what you allow them.',
  addServerConfirm: 'Add',
  registrations: 'App registrations',
  registrationsEmpty: 'This app is not registered anywhere.',
  registrationMethods: {
    'pre-registered': 'Registered before',
    'metadata-document': 'Client metadata document',
    dynamic: 'Registered itself',
  },
  registrationExpires: (when: string) => `Secret expires ${when}`,
  deleteRegistrationShort: 'Delete',
  deleteRegistration: (host: string) => `Delete the registration at ${host}`,

  rotateShort: 'Replace key',
  rotate: (name: string, account?: string) => `Replace key of ${named(name, account)}`,

  /** Spoken when something changes; never shown. */
  spoken: {
    found: (count: number) => (count === 1 ? '1 result.' : `${count} results.`),
    connecting: (name: string) => `Connecting ${name}.`,
    connected: (name: string, account: string) => `${name}: now connected as ${account}.`,
    attention: (name: string, word: string) => `${name}: ${word}.`,
    windowClosed: (name: string) => `The ${name} window seems to be closed.`,
    embedded: (name: string) => `${name} may not reach this app here.`,
    windowBlocked: (name: string) => `The ${name} window was blocked.`,
    denied: (name: string) => `${name} is not connected.`,
    changed: (to: string) => `You signed in as ${to}.`,
    disconnectedAll: (count: number) => `${count} accounts are disconnected.`,
    revoked: (name: string) => `${name} is disconnected, and its access revoked.`,
    removed: (name: string) => `${name} is disconnected here.`,
  },
}

/** The sentences of the first load. */
export type FirstMessages = typeof english

/** The catalogue of every visible or spoken sentence: {@link english}, and `laterEnglish` of what is loaded on intent. */
export type Messages = typeof english & typeof laterEnglish

/** A catalogue to lay over the English one: any part of it, one level deep. */
export type MessageOverrides = {
  [Key in keyof Messages]?: Messages[Key] extends (...args: never[]) => string ? Messages[Key] : Partial<Messages[Key]>
}
