import type { Custody, ErrorCode, Reason } from '@latchkey/core'
import { named } from './en.ts'

/** What only engineers tell apart. The code is under "Details". */
const signInFailed = () => "Sign-in couldn't be completed. Please try again."

const errors: Partial<Record<ErrorCode, (name: string) => string>> = {
  account_changed: (name) => `That's a different ${name} account, so nothing changed.`,
  flow_lost: signInFailed,
  flow_unknown: signInFailed,
  insufficient_scope: () => "Some permissions weren't granted.",
  invalid_client: (name) => `${name} rejected this app's setup. Contact the app's support.`,
  invalid_grant: signInFailed,
  invalid_scope: (name) => `${name} doesn't offer some of the permissions this app asked for.`,
  invalid_token: (name) => `${name} rejected this key. Make sure you copied the whole key.`,
  issuer_mismatch: signInFailed,
  network: (name) => `${name} couldn't be reached. Check your connection and try again.`,
  server_error: (name) => `${name} had a problem. Try again in a moment.`,
  state_mismatch: signInFailed,
  temporarily_unavailable: (name) => `${name} is busy. Try again in a moment.`,
  timeout: () => 'Sign-in timed out. Try again.',
}

/** The English sentences of what is shown only after a click. They load then. */
export const laterEnglish = {
  consentTitle: (name: string) => `Choose what your agent can do with ${name}`,
  /** `account` is passed if an existing account is asked for more. */
  consentBody: (name: string, account?: string) =>
    `${account ? `You're giving it more access to ${account}. ` : ''}${name} will ask you to confirm. You can take it back anytime.`,
  consentNeeded: 'Required',
  consentGranted: 'Already allowed',
  consentChoice: 'Optional',
  consentMore: 'New',
  consentNothing: 'Select at least one permission.',
  consentContinue: (name: string) => `Continue to ${name}`,

  keyFailed: "Something went wrong, and your account wasn't connected. Try again.",
  reveal: 'Show what you typed',
  chooseFile: (file: string) => `Choose ${file}`,
  fileShort: 'file',
  selectPrompt: 'Choose…',
  fieldPattern: (label: string) => `${label}: this doesn't look right. Make sure you copied all of it.`,
  fieldUrl: (label: string) => `${label}: use a web address that starts with https://.`,
  fieldJson: (label: string) => `${label}: something is missing. Paste all of it, from the first { to the last }.`,
  fieldJsonHint: 'Paste all of it, or drop the file here.',
  rotateForm: (name: string, account: string) => `Replace the ${name} key for ${account}`,
  rotateHint: (account: string) => `The key for ${account} keeps working until the new one is checked.`,
  rotateUnchecked: (name: string) => `${name} couldn't check this key, so nothing changed. Try again.`,

  clientIdTitle: (name: string) => `${name} needs a client ID`,
  clientIdBody: (host: string) =>
    `Register this app on ${host} with the redirect address below, then paste the client ID.`,
  clientIdLabel: 'Client ID',
  clientIdRedirect: 'Redirect address',
  clientIdMissing: 'Enter the client ID.',
  clientIdWrong: 'This client ID contains line breaks or hidden characters. Copy it again.',
  clientIdUnreachable: (name: string) => `The sign-in server of ${name} couldn't be reached.`,
  copyShort: 'Copy',
  copied: 'Copied',

  accountsMenu: 'Accounts',
  accountsMenuName: (names: string) => (names ? `Accounts in use: ${names}` : 'Accounts: none in use'),
  accountsMenuTitle: 'Accounts in this chat',
  accountsMenuAvailable: 'Not connected',
  accountsMenuManage: 'Manage accounts',
  addServerTaken: (name: string) => `The name ${name} is taken. Give the server a different one.`,
  /** `place` is a server's host, or the program that runs beside the agent. */
  addServerGives: (name: string, place: string) => `${place} will get access to your ${name} account.`,
  /** Shown beside a server that people do not sign in to. */
  serverKinds: {
    open: 'No sign-in',
    headers: 'Custom headers',
    command: 'Local',
  } as Record<string, string>,
  deleteRegistrationTitle: (host: string) => `Delete the registration on ${host}?`,
  deleteRegistrationBody: (host: string) => `Accounts that sign in through ${host} will need to be reconnected.`,
  registrationDeleted: (host: string) => `Registration on ${host} deleted.`,
  /** What went wrong, by error code. A code without an entry shows the error's own message. */
  errors,
  /** In place of these, where it was the app's own server that failed, or the person is offline. */
  appUnreachable: "This app's server couldn't be reached. Try again in a moment.",
  appProblem: "This app's server had a problem. Try again in a moment.",
  offline: (name: string) => `You're offline. Connect ${name} when you're back online.`,
  /** An error's code, under "Details". */
  errorCode: (code: string) => `Code: ${code}`,
  /** Why an account or provider has its status, and why connecting has not succeeded. */
  reasons: {
    expired: () => 'Access has expired',
    revoked: () => 'Access was revoked',
    invalid_token: (name) => `${name} signed this app out`,
    issuer_changed: (name) => `${name} has a new sign-in server`,
    resource_changed: (name) => `${name} has a new address`,
    secret_unavailable: () => "The saved sign-in can't be read anymore",
    offline: () => "You're offline",
    unverified: () => 'Not verified yet',
    access_denied: () => 'You declined access.',
    popup_blocked: () => 'Your browser blocked the pop-up.',
    popup_closed: () => 'The window was closed before you finished.',
    embedded: () => 'Sign-in may not work while this app is inside another page.',
  } as Partial<Record<Reason, (name: string) => string>>,
  /** Behind the panel's line about where tokens and keys are stored. */
  custodyInfo: {
    sealed:
      "Tokens and keys are encrypted with a key that can't be copied out of this browser. They're sent only to the services you connect, and to your agent.",
    plain:
      "This browser can't encrypt them here. Anyone who uses this browser profile can read them, so disconnect when you're done on a shared computer.",
    session: 'Tokens and keys are deleted when you close this tab.',
    memory: 'Tokens and keys are only in this page. Your accounts are forgotten when you close or reload it.',
    vault: "Tokens and keys are encrypted on this app's server and never sent to this browser.",
  } as Record<Custody, string>,
  notPersistent: "This browser isn't saving anything, so your accounts are forgotten when you close this page.",
  notPersistentHint: 'Allow site data in your browser, then reload.',
  search: 'Search',
  clearSearch: 'Clear search',
  found: (count: number, all: number) => `${count} of ${all}`,
  noMatch: (query: string) => `No results for “${query}”.`,
  sameAccount: (name: string, account: string) =>
    `${account} is already connected. To add a different account, switch ${name} accounts first.`,
  /** In place of where accounts are stored. */
  offlineNote: "You're offline. Your accounts work again when you're back online.",
  /** The switch of a row. */
  inChat: (name: string) => `Use ${name} in chat`,
  pauseShort: 'Pause',
  pause: (name: string, account?: string) => `Pause ${named(name, account)}`,
  makeDefaultShort: 'Make default',
  makeDefault: (account: string) => `Make default: ${account}`,
  switcher: (name: string) => `Default ${name} account`,
  paused: "Paused. Your agent won't use it.",
  /** On an account's row, after its status. */
  can: (abilities: string) => `Can ${abilities}`,
  canChange: 'Can make changes',
  partly: 'Some access is missing',
  detailsShort: 'Details',
  details: (name: string, account?: string) => `Details for ${named(name, account)}`,
  access: (name: string) => `What your agent can do with ${name}`,
  sensitive: 'Sensitive',
  close: 'Close',
  tryAgainShort: 'Try again',
  tryAgain: (name: string) => `Try again with ${name}`,
  cancelShort: 'Cancel',
  cancelConnect: (name: string) => `Cancel connecting ${name}`,
  dismiss: 'Dismiss',

  waiting: (name: string) => `Continue in the ${name} window`,
  finishing: (name: string) => `Finishing up with ${name}…`,
  stillWaiting: (name: string) => `Still waiting for ${name}. Trouble with the window?`,
  showWindowShort: 'Show window',
  showWindow: (name: string) => `Show window for ${name}`,
  popupClosed: 'Window closed before you finished',
  popupBlocked: 'Your browser blocked the pop-up.',
  openInNewTab: 'Open in a new tab',
  openInThisTab: 'Open in this tab',
  copyLink: 'Copy link',
  linkCopied: 'Link copied. Open it in this browser to continue.',
  linkNotCopied: "The link couldn't be copied.",
  embedded: 'Sign-in may not work while this app is inside another page.',
  openOwnTab: 'Open the app in its own tab',
  denied: (name: string) => `You declined access. ${name} wasn't connected.`,
  serverSaid: (name: string, detail: string) => `${name} said: “${detail}”`,
  notConfiguredHint: (name: string) => `This app isn't set up for ${name} yet.`,
  expires: (when: string) => `Expires ${when}`,
  expired: (when: string) => `Expired ${when}`,
  renews: (when: string) => `Renews automatically ${when}`,
  renewsOnUse: 'Renews automatically on next use',
  endless: 'No expiry',

  /** The facts about an account. */
  factAccount: 'Account',
  factSince: 'Connected',
  factUntil: 'Access',
  factAccess: 'Allowed',
  factRead: 'Can read',
  factChange: 'Can change',
  factMissing: 'Not allowed',
  factId: 'ID',
  profile: (name: string) => `View ${name} profile`,
  technical: 'Technical details',
  rawScopes: (name: string) => `Technical names from ${name}`,

  keyForm: (name: string) => `Connect ${name} with a key`,
  getApiKey: 'Get API Key',
  keyFileHint: (file: string) => `Paste your key, or drop ${file} here.`,
  checking: 'Checking…',
  keyMissing: (label: string) => `Enter your ${label}.`,
  keyUnprintable: (label: string) => `${label}: this contains line breaks or hidden characters. Copy it again.`,
  keyTooLong: (label: string) => `${label}: that's too long. Check what you pasted.`,
  keyFileUnreadable: (file: string) => `This ${file} doesn't contain a key. Download it again, or paste only the key.`,

  disconnectTitle: (name: string, account: string) => `Disconnect ${account} from ${name}?`,
  disconnectBody: (_name: string, account: string) => `Your agent will lose access to ${account} right away.`,
  disconnectKeyBody: (name: string, account: string) =>
    `Your agent will lose access to ${account} right away. The key stays valid until you revoke it on ${name}.`,
  /** `others`: the accounts of the provider that stay. */
  disconnectOthers: (others: readonly string[]) =>
    `${new Intl.ListFormat('en').format(others)} ${others.length === 1 ? 'stays' : 'stay'} connected.`,
  disconnecting: 'Disconnecting…',
  revoking: 'Revoking access…',
  disconnectedTitle: (name: string) => `${name} disconnected`,
  done: 'Done',
  disconnectAll: 'Disconnect all',
  disconnectAllTitle: 'Disconnect all accounts?',
  disconnectAllBody: (count: number) => `Your agent will lose access to all accounts (${count}) right away.`,
  /** Receipts. `account` is passed if the provider had several. */
  revoked: (name: string, account?: string) => `Access to ${named(name, account)} revoked.`,
  removedKey: (name: string, account?: string) =>
    `The key for ${named(name, account)} still works until you revoke it.`,
  removed: (name: string, account?: string) =>
    `Disconnected here. ${named(name, account)} may still allow access until you revoke it.`,
  removedUntold: (name: string, why: string, account?: string) =>
    `Disconnected here, but access to ${named(name, account)} couldn't be revoked: ${why}`,
  removedPending: (name: string, account?: string) =>
    `Disconnected here. Access to ${named(name, account)} will be revoked as soon as ${name} can be reached.`,
  untoldNetwork: 'the connection failed.',
  untoldOther: 'the service answered with an error.',
  manage: (name: string) => `Revoke it on ${name}`,

  changedTitle: (to: string) => `You signed in as ${to}`,
  changed: (from: string, to: string) => `You signed in as ${to} instead of ${from}.`,
  changedBody: (from: string, to: string) => `Keep both accounts, or disconnect ${from} and use ${to} instead?`,
  choose: 'Choose',
  keepBoth: 'Keep both',
  replace: (from: string) => `Replace ${from}`,

  promptTitle: (name: string, tool?: string) => `${name} is needed to ${tool ? `run ${tool}` : 'continue'}`,
  promptScopes: 'Your agent will be able to:',
  pausedPrompt: 'You paused this account.',
  promptLaterShort: 'Not now',
  promptLater: (name: string) => `Not now: ${name}`,
  promptConnected: (name: string, account: string) => `${name} is connected as ${account}`,

  promptPage: (name: string, host: string) => `${name} needs you to visit ${host}`,
  openPage: (host: string) => `Open ${host}`,
  pageDone: "I'm done",

  addServer: 'Add an MCP server',
  addServerLabel: 'Server URL or mcpServers JSON',
  addServerNext: 'Continue',
  addServerAsk: (count: number) => (count === 1 ? 'Add this server?' : `Add ${count} servers?`),
  addServerWarning: 'Only add servers you trust. Their tools can act on your behalf.',
  addServerConfirm: 'Add',
  registrations: 'App registrations',
  registrationsEmpty: 'No registrations',
  registrationMethods: {
    'pre-registered': 'Pre-registered',
    'metadata-document': 'Client metadata document',
    dynamic: 'Automatic',
  },
  registrationExpires: (when: string) => `Secret expires ${when}`,
  deleteRegistrationShort: 'Delete',
  deleteRegistration: (host: string) => `Delete the registration on ${host}`,

  rotateShort: 'Replace key',
  rotate: (name: string, account?: string) => `Replace key for ${named(name, account)}`,

  /** Read out by screen readers when something changes; never shown. */
  spoken: {
    found: (count: number) => (count === 1 ? '1 result.' : `${count} results.`),
    connected: (name: string, account: string) => `${name}: now connected as ${account}.`,
    attention: (name: string, word: string) => `${name}: ${word}.`,
    windowClosed: (name: string) => `The ${name} window was closed.`,
    embedded: (name: string) => `${name}: sign-in may not work here.`,
    windowBlocked: (name: string) => `The ${name} pop-up was blocked.`,
    denied: (name: string) => `${name} wasn't connected.`,
    changed: (to: string) => `You signed in as ${to}.`,
    disconnectedAll: (count: number) => `${count} accounts disconnected.`,
    revoked: (name: string) => `${name} disconnected. Access revoked.`,
    removed: (name: string) => `${name} disconnected.`,
  },
}
