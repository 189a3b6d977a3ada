import type { Custody, ErrorCode, Reason, RevokedToken } from '@latchkey/core'
import { named } from './en.ts'

const errors: Partial<Record<ErrorCode, (name: string) => string>> = {
  account_changed: (name) => `You signed in to another ${name} account. Nothing was changed.`,
  invalid_client: (name) => `${name} does not accept this app. Its developers can fix that.`,
  invalid_grant: (name) => `${name} did not accept the sign-in. Nothing was connected.`,
  flow_lost: (name) => `The sign-in at ${name} was lost on its way back. Nothing was connected.`,
  flow_unknown: (name) => `${name} sent an answer that you did not ask for. Nothing was connected.`,
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

/** The English sentences of what is shown only after a click. They load then. */
export const laterEnglish = {
  consentTitle: (name: string) => `What may your agent do at ${name}?`,
  /** `account` is passed if an existing account is asked for more. */
  consentBody: (name: string, account?: string) =>
    `${account ? `You are about to give it more access to ${account}. ` : ''}${name} will ask you to confirm. You can take the access back at any time.`,
  consentNeeded: 'Needed to connect',
  consentGranted: 'Allowed already',
  consentChoice: 'Your choice',
  consentMore: 'New',
  consentNothing: 'Choose what to allow first.',
  consentContinue: (name: string) => `Continue to ${name}`,

  keyFailed: 'Something went wrong, and your account was not connected. Try again.',
  reveal: 'Show what is typed',
  chooseFile: (file: string) => `Choose ${file}`,
  fileShort: 'file',
  selectPrompt: 'Choose…',
  fieldPattern: (label: string) => `${label}: this does not look right. Check that you copied all of it.`,
  fieldUrl: (label: string) => `Enter the ${label} as a web address that begins with https://.`,
  fieldJson: (label: string) => `This is not the whole ${label}. Paste all of it, from the first { to the last }.`,
  fieldJsonHint: 'Paste it whole, or drop the file here.',
  rotateForm: (name: string, account: string) => `Replace the key of ${account} at ${name}`,
  rotateHint: (account: string) => `The key of ${account} stays in use until the new one is checked.`,
  rotateUnchecked: (name: string) => `${name} could not check this key now, so nothing was changed. Try again.`,

  clientIdTitle: (name: string) => `${name} needs a client ID`,
  clientIdBody: (host: string) =>
    `Register this app at ${host} with the redirect address below, then enter the client ID that you get there.`,
  clientIdLabel: 'Client ID',
  clientIdRedirect: 'Redirect address',
  clientIdMissing: 'Enter the client ID.',
  clientIdWrong: 'A client ID has no line breaks or invisible characters in it. Copy it again.',
  clientIdUnreachable: (name: string) => `The login server of ${name} could not be reached.`,
  copyShort: 'Copy',
  copied: 'Copied',

  accountsMenu: 'Accounts',
  accountsMenuName: (names: string) =>
    names ? `Accounts: your next message uses ${names}` : 'Accounts: your next message uses none',
  accountsMenuTitle: 'Used for the next message',
  accountsMenuAvailable: 'Not connected',
  accountsMenuManage: 'Manage accounts',
  addServerTaken: (name: string) => `The name ${name} is taken. Give the server another one.`,
  /** `place` is a server's host, or the program that runs beside the agent. */
  addServerGives: (name: string, place: string) => `${place} will get access to your ${name} account.`,
  /** Shown beside a server that people do not sign in to. */
  serverKinds: {
    open: 'No login',
    headers: 'Uses its own headers',
    command: 'Runs beside the agent',
  } as Record<string, string>,
  deleteRegistrationTitle: (host: string) => `Delete the registration at ${host}?`,
  deleteRegistrationBody: (host: string) =>
    `You will have to reconnect accounts of servers that sign in at ${host}. This registers the app there again.`,
  registrationDeleted: (host: string) => `The registration at ${host} is deleted.`,
  /** What went wrong, by error code. A code without an entry shows the error's own message. */
  errors,
  /** Why an account or provider has its status, and why connecting has not succeeded. */
  reasons: {
    expired: () => 'Access has expired',
    revoked: () => 'Access was revoked',
    invalid_token: (name) => `${name} signed this app out`,
    issuer_changed: (name) => `${name} has a new sign-in server`,
    resource_changed: (name) => `${name} has a new address`,
    secret_unavailable: () => "The saved sign-in can't be read anymore",
    offline: () => "You're offline",
    unverified: () => 'Not checked yet',
    access_denied: (name) => `You said no at ${name}.`,
    popup_blocked: () => 'Your browser blocked the window.',
    popup_closed: () => 'The window seems to be closed.',
    embedded: (name) => `This app is inside another page, so ${name} may not be able to reach it.`,
  } as Partial<Record<Reason, (name: string) => string>>,
  /** Behind the panel's line about where tokens and keys are stored. */
  custodyInfo: {
    sealed:
      "Tokens and keys are encrypted with a key that can't be copied out of this browser. They are sent only to the services that you connect, and to your agent.",
    plain:
      'This browser cannot encrypt them here. Anyone who can use this browser profile can read them, so disconnect when you are done on a shared computer.',
    session: 'Tokens and keys are deleted when you close this tab.',
    memory: 'Tokens and keys are only in this page. Your accounts are gone when you close or reload it.',
    vault: "Tokens and keys are encrypted on this app's server, and are never sent to this browser.",
  } as Record<Custody, string>,
  notPersistent: 'This browser stores nothing, so your accounts are gone when you close this page.',
  notPersistentHint: 'Allow this site to store data, then reload.',
  search: 'Search',
  clearSearch: 'Clear search',
  found: (count: number, all: number) => `${count} of ${all}`,
  noMatch: (query: string) => `Nothing matches “${query}”.`,
  sameAccount: (name: string, account: string) =>
    `${account} is already connected. To add another account, first sign in to that account at ${name}.`,
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
  details: (name: string, account?: string) => `Details of ${named(name, account)}`,
  missing: (name: string) => `Not allowed on ${name}:`,
  access: (name: string) => `What your agent can do on ${name}`,
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
  showWindow: (name: string) => `Show window of ${name}`,
  popupClosed: 'Window closed before you finished',
  popupBlocked: 'Your browser blocked the window.',
  openInNewTab: 'Open in a new tab',
  openInThisTab: 'Open in this tab',
  copyLink: 'Copy link',
  linkCopied: 'Link copied. Open it in this browser.',
  linkNotCopied: 'The link could not be copied.',
  embedded: (name: string) =>
    `Did you close the window? If not, ${name} cannot reach this app, because it is inside another page.`,
  openOwnTab: 'Open the app in its own tab',
  denied: (name: string) => `You said no at ${name}. Nothing was connected.`,
  serverSaid: (name: string, detail: string) => `${name} said: “${detail}”`,
  notConfiguredHint: (name: string) => `This app is not set up for ${name} yet.`,
  expires: (when: string) => `Expires ${when}`,
  expired: (when: string) => `Expired ${when}`,
  renews: (when: string) => `Renews automatically ${when}`,
  renewsOnUse: 'Renews automatically when it is next used',
  endless: 'Until you disconnect it',

  /** The facts about an account. */
  factAccount: 'Account',
  factSince: 'Connected',
  factUntil: 'Access',
  factAccess: 'Allowed',
  factRead: 'Can read',
  factChange: 'Can change',
  factMissing: 'Not allowed',
  factId: 'ID',
  profile: (name: string) => `Profile at ${name}`,
  technical: 'Technical details',
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

  disconnectBody: (_name: string, account: string) => `Your agent will lose access to ${account} right away.`,
  disconnectKeyBody: (name: string, account: string) =>
    `Your agent will lose access to ${account} right away. The key stays valid until you revoke it on ${name}.`,
  /** `others`: the accounts of the provider that stay. */
  disconnectOthers: (others: readonly string[]) =>
    `${new Intl.ListFormat('en').format(others)} ${others.length === 1 ? 'stays' : 'stay'} connected.`,
  disconnecting: 'Disconnecting…',
  revoking: 'Revoking access…',
  disconnectedTitle: (name: string) => `${name} is disconnected`,
  done: 'Done',
  disconnectAllTitle: 'Disconnect all accounts?',
  disconnectAllBody: (count: number) => `Your agent will lose access to your ${count} accounts right away.`,
  /** Receipts. `account` is passed if the provider had several. */
  revoked: (name: string, tokens: readonly RevokedToken[], account?: string) =>
    `${account ? `${account}: access` : 'Access'} revoked at ${name}${tokens.length > 0 ? ` (${tokens.map((token) => token.replace('_', ' ')).join(' and ')})` : ''}.`,
  removedKey: (name: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. The key stays valid at ${name} until you revoke it there.`,
  removed: (name: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. The access may stay valid at ${name} until you revoke it there.`,
  removedUntold: (name: string, why: string, account?: string) =>
    `Removed here${account ? `: ${account}` : ''}. The access could not be revoked at ${name}: ${why}`,
  removedPending: (name: string, account?: string) =>
    `Disconnected here${account ? `: ${account}` : ''}. The access at ${name} will be revoked when it can be reached.`,
  untoldNetwork: 'the connection failed.',
  untoldOther: 'it answered with an error.',
  manage: (name: string) => `Revoke it at ${name}`,

  changedTitle: (to: string) => `You signed in as ${to}`,
  changed: (from: string, to: string) => `You signed in as ${to}, not as ${from}. Nothing has changed yet.`,
  changedBody: (from: string, to: string) =>
    `${from} was connected here. Keep both accounts, or replace ${from} with ${to}: ${from} is then disconnected.`,
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
  addServerAsk: (count: number) => (count === 1 ? 'Add this server?' : `Add these ${count} servers?`),
  addServerWarning:
    'Nothing has been sent yet. Add only servers that you trust: their tools can do everything that you allow.',
  addServerConfirm: 'Add',
  registrations: 'App registrations',
  registrationsEmpty: 'This app is not registered anywhere.',
  registrationMethods: {
    'pre-registered': 'Registered in advance',
    'metadata-document': 'Client metadata document',
    dynamic: 'Registered automatically',
  },
  registrationExpires: (when: string) => `Secret expires ${when}`,
  deleteRegistrationShort: 'Delete',
  deleteRegistration: (host: string) => `Delete the registration at ${host}`,

  rotateShort: 'Replace key',
  rotate: (name: string, account?: string) => `Replace key of ${named(name, account)}`,

  /** Read out by screen readers when something changes; never shown. */
  spoken: {
    found: (count: number) => (count === 1 ? '1 result.' : `${count} results.`),
    connected: (name: string, account: string) => `${name}: now connected as ${account}.`,
    attention: (name: string, word: string) => `${name}: ${word}.`,
    windowClosed: (name: string) => `The ${name} window seems to be closed.`,
    embedded: (name: string) => `${name} may not be able to reach this app.`,
    windowBlocked: (name: string) => `The ${name} window was blocked.`,
    denied: (name: string) => `${name} is not connected.`,
    changed: (to: string) => `You signed in as ${to}.`,
    disconnectedAll: (count: number) => `${count} accounts are disconnected.`,
    revoked: (name: string) => `${name} is disconnected, and its access revoked.`,
    removed: (name: string) => `${name} is disconnected here.`,
  },
}
