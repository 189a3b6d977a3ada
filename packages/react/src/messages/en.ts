import type { CardStatus, Custody, Reason } from '@latchkey/core'

/** A word for each status of an account or card. */
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
  invalid_token: (name) => `${name} no longer accepts this connection.`,
  issuer_changed: (name) => `${name} has a new sign-in server. Reconnect your account.`,
  resource_changed: (name) => `${name} has a new address. Reconnect your account.`,
  secret_unavailable: () => 'This browser can no longer read the saved access.',
  offline: (name) => `You are offline. Your agent can use ${name} again when you are back online.`,
  unverified: () => 'Not checked yet',
}

const custody: Record<Custody, string> = {
  sealed: 'Stored in this browser, encrypted.',
  plain: 'Stored in this browser, not encrypted.',
  session: 'Stored in this tab until you close it.',
  memory: 'Not stored: your accounts are gone when you close this page.',
  vault: 'Stored on the server, encrypted.',
}

/** A provider's name. If it has several accounts, also the account's. */
export const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** The reader's variant of English, which decides how dates are written. */
function readersEnglish(): string {
  const tags = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])
  return tags.find((tag) => /^en\b/i.test(tag)) ?? 'en'
}

/** The English sentences of the first paint. `name` is a provider's name. */
export const english = {
  /** The language of the sentences, dates and durations: a BCP 47 tag. */
  locale: readersEnglish() as string | undefined,
  /** The writing direction of the sentences. @default that of the page */
  dir: undefined as 'ltr' | 'rtl' | undefined,
  /** Translations of providers' own English texts, by provider id: the description, and the meaning of each scope. */
  providers: {} as Readonly<Record<string, { description?: string; scopes?: Readonly<Record<string, string>> }>>,
  status,
  /** Why an account or provider has its status. */
  reasons,
  /** Read out by screen readers when something changes; never shown. */
  spoken: { connecting: (name: string) => `Connecting ${name}.` },
  /** Where tokens and keys are stored. */
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
  /** `account` is passed if the provider has several. */
  reconnect: (name: string, account?: string) => `Reconnect ${named(name, account)}`,
  disconnectShort: 'Disconnect',
  disconnect: (name: string, account?: string) => `Disconnect ${named(name, account)}`,
  disconnectAll: 'Disconnect all',
  resumeShort: 'Resume',
  resume: (name: string, account?: string) => `Resume ${named(name, account)}`,
  paused: 'Your agent does not use this account until you resume it.',
  more: (name: string, account?: string) => `More for ${named(name, account)}`,
  isDefault: 'Default',
  /** On a provider's one-line row, if it has several. */
  accountCount: (count: number) => `${count} accounts`,
  details: (name: string) => `Details of ${name}`,
  missing: (name: string) => `Not granted at ${name}:`,
  grantShort: 'Grant access',
  grant: (name: string, account?: string) => `Grant access at ${named(name, account)}`,
  notConfigured: 'Not configured',

  apiKeyBadge: 'API Key',
  access: (name: string) => `What your agent may do at ${name}`,
  sensitive: 'Sensitive',
}
