import type { CardStatus, Custody } from '@latchkey/core'

/** A word for each status of an account or card. */
type StatusWords = Record<CardStatus, string>

const status: StatusWords = {
  loading: 'Loading',
  disconnected: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  expiring: 'Expires soon',
  paused: 'Paused',
  'needs-reconnect': 'Reconnect needed',
}

const custody: Record<Custody, string> = {
  sealed: 'Encrypted and stored in this browser',
  plain: 'Stored unencrypted in this browser',
  session: 'Stored until you close this tab',
  memory: 'Not stored after you close this page',
  vault: 'Encrypted and stored on the server',
}

/** A provider's own words, translated. */
interface ProviderWords {
  description?: string
  /** What each scope means. */
  scopes?: Readonly<Record<string, string>>
  /** The same in a few small words, to follow `can`: "send email". */
  short?: Readonly<Record<string, string>>
  /** The fields of its key form: what each is called, and the line below it. */
  fields?: Readonly<Record<string, { label?: string; help?: string }>>
  /** What to know about its keys. */
  cautions?: readonly string[]
}

/** A provider's name. If it has several accounts, also the account's. */
export const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** The reader's variant of English, which decides how dates are written. */
const readersEnglish = () => globalThis.navigator?.languages?.find((tag) => /^en\b/i.test(tag)) ?? 'en'

/** The English sentences of the first paint. `name` is a provider's name. */
export const english = {
  /** The language of the sentences, dates and durations: a BCP 47 tag. */
  locale: readersEnglish() as string | undefined,
  /** Translations of providers' own English texts, by provider id: the description, and the words of each scope. */
  providers: {} as Readonly<Record<string, ProviderWords>>,
  status,
  /** Read out by screen readers when something changes; never shown. */
  spoken: { connecting: (name: string) => `Connecting ${name}.` },
  /** Where tokens and keys are stored. */
  custody,

  title: 'Connected Accounts',
  description: 'Connect the services your agent can use.',
  loadFailed: "This couldn't be loaded. Reload to try again.",
  reload: 'Reload',
  noProviders: 'No services available yet',
  groupConnected: 'Connected',
  groupAvailable: 'Available',

  connectShort: 'Connect',
  connect: (name: string) => `Connect ${name}`,
  reconnectShort: 'Reconnect',
  /** `account` is passed if the provider has several. */
  reconnect: (name: string, account?: string) => `Reconnect ${named(name, account)}`,
  disconnectShort: 'Disconnect',
  disconnect: (name: string, account?: string) => `Disconnect ${named(name, account)}`,
  resumeShort: 'Resume',
  resume: (name: string, account?: string) => `Resume ${named(name, account)}`,
  more: (name: string, account?: string) => `More options for ${named(name, account)}`,
  moreShort: 'More options',
  isDefault: 'Default',
  /** On a provider's row, if it has several. */
  accountCount: (count: number) => `${count} accounts`,
  addAnother: (name: string) => `Add another ${name} account`,
  /** On an account's row. */
  connectedAs: (account: string) => `Connected as ${account}`,
  grantShort: 'Grant access',
  grant: (name: string, account?: string) => `Grant access to ${named(name, account)}`,
  notConfigured: 'Unavailable',

  apiKeyBadge: 'API key',
  custodyMore: 'How your accounts are stored',
}
