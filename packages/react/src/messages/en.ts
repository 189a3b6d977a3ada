import type { CardStatus, Custody, Reason } from '@latchkey/core'

/** The words of an account's or a card's status. */
type StatusWords = Record<CardStatus, string>
type ReasonWords = Partial<Record<Reason, (name: string) => string>>

const status: StatusWords = {
  loading: 'Loading',
  disconnected: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  expiring: 'Expires soon',
  paused: 'Paused',
  'needs-reconnect': 'Needs reconnect',
}

const reasons: ReasonWords = {
  expired: (name) => `Access to ${name} has expired.`,
  revoked: (name) => `Access was revoked at ${name}.`,
  invalid_token: (name) => `${name} no longer accepts what was kept here.`,
  issuer_changed: (name) => `${name} has another sign-in server now. Connect the account again.`,
  resource_changed: (name) => `${name} is at another address now. Connect the account again.`,
  secret_unavailable: () => 'This browser can no longer read what it kept.',
  offline: (name) => `You are offline. ${name} is used again when you are back.`,
  unverified: () => 'Not checked yet',
}

const custody: Record<Custody, string> = {
  sealed: 'Kept in this browser, sealed.',
  plain: 'Kept in this browser, as plain text.',
  session: 'Kept in this tab until you close it.',
  memory: 'Kept nowhere: accounts last until this page closes.',
  vault: 'Kept on the server, encrypted.',
}

/** A provider's name, with the account's where it has several. */
export const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** The reader's English: dates are not written alike wherever English is read. */
function readersEnglish(): string {
  const tags = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])
  return tags.find((tag) => /^en\b/i.test(tag)) ?? 'en'
}

/** What the components show at first sight, in English. `name` is a provider's name. */
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
  /** Spoken when something changes; never shown. */
  spoken: { connecting: (name: string) => `Connecting ${name}.` },
  /** Where tokens and keys rest. */
  custody,

  title: 'Connected Accounts',
  description: 'Connect the accounts your agent works with. You can disconnect them at any time.',
  loadFailed: 'This could not be loaded. Check your connection and try again, or reload.',
  reload: 'Reload',
  noProviders: 'There is nothing to connect here yet.',
  groupConnected: 'Connected',
  groupAvailable: 'Available',

  connectShort: 'Connect',
  connect: (name: string) => `Connect ${name}`,
  reconnectShort: 'Reconnect',
  /** `account` is given when a provider has several. */
  reconnect: (name: string, account?: string) => `Reconnect ${named(name, account)}`,
  disconnectShort: 'Disconnect',
  disconnect: (name: string, account?: string) => `Disconnect ${named(name, account)}`,
  disconnectAll: 'Disconnect all',
  resumeShort: 'Resume',
  resume: (name: string, account?: string) => `Resume ${named(name, account)}`,
  paused: 'Your agent does not use this account until you resume it.',
  more: (name: string, account?: string) => `More for ${named(name, account)}`,
  isDefault: 'Default',
  /** On a provider's one-line form, when there are several. */
  accountCount: (count: number) => `${count} accounts`,
  details: (name: string) => `Details of ${name}`,
  missing: (name: string) => `Not granted at ${name}:`,
  grantShort: 'Grant access',
  grant: (name: string, account?: string) => `Grant access at ${named(name, account)}`,
  notConfigured: 'Not configured',

  apiKeyBadge: 'API Key',
  access: (name: string) => `What your agent may do at ${name}`,
  sensitive: 'Sensitive',
  expires: (when: string) => `Expires ${when}`,
  expired: (when: string) => `Expired ${when}`,
}
