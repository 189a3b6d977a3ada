'use client'
import type { CardStatus, ErrorCode, LatchkeyError, Reason } from '@latchkey/core'
import { useKit } from './context.tsx'

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
  invalid_token: (name) => `${name} no longer accepts this key.`,
  secret_unavailable: () => 'This browser can no longer read what it kept.',
  offline: (name) => `${name} could not be reached. Trying again when you are online.`,
  unverified: () => 'Not checked yet',
}

const errors: ErrorWords = {
  account_changed: (name) => `You signed in to another ${name} account. Nothing was changed.`,
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

/** Every sentence a person can see or hear, in English. `name` is a provider's name. */
export const english = {
  status,
  /** Why an account or provider has its status. */
  reasons,
  /** What went wrong. Codes without an entry show the error's own message. */
  errors,

  title: 'Connected Accounts',
  description: 'Connect the accounts your agent works with. You can disconnect them at any time.',
  notPersistent: 'This browser keeps nothing: accounts last until this page closes.',

  connectShort: 'Connect',
  connect: (name: string) => `Connect ${name}`,
  reconnectShort: 'Reconnect',
  /** `account` is given when a provider has several. */
  reconnect: (name: string, account?: string) => `Reconnect ${name}${account ? ` (${account})` : ''}`,
  disconnectShort: 'Disconnect',
  disconnect: (name: string, account?: string) => `Disconnect ${name}${account ? ` (${account})` : ''}`,
  cancelShort: 'Cancel',
  cancelConnect: (name: string) => `Cancel connecting ${name}`,
  dismiss: 'Dismiss',

  waiting: (name: string) => `Waiting for ${name}… finish in the window that opened.`,
  popupClosed: 'Did you close the window?',
  popupBlocked: 'Your browser blocked the window.',
  openInThisTab: 'Open in this tab',
  denied: (name: string) => `You said no at ${name}. Nothing was connected.`,
  serverSaid: (name: string, detail: string) => `${name} said: “${detail}”`,
  notConfigured: 'Not configured',
  notConfiguredHint: (name: string) => `This app is not set up for ${name} yet.`,

  apiKeyBadge: 'API Key',
  access: (name: string) => `What your agent may do at ${name}`,
  sensitive: 'Sensitive',
  expires: (when: string) => `Expires ${when}`,

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
  revoked: (name: string) => `Access revoked at ${name}.`,
  removedKey: (name: string) => `Removed here. The key stays valid at ${name} until you revoke it there.`,
  removed: (name: string) => `Removed here. ${name} may still list this app.`,
  removedUntold: (name: string, why: string) => `Removed here. ${name} could not be told: ${why}`,
  untoldNetwork: 'the connection failed.',
  untoldOther: 'it answered with an error.',
  manage: (name: string) => `Manage access at ${name}`,

  promptTitle: (name: string, tool?: string) => `${name} is needed to ${tool ? `run ${tool}` : 'continue'}`,
  promptScopes: 'It asks to:',
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

  /** Spoken when something changes; never shown. */
  spoken: {
    connecting: (name: string) => `Connecting ${name}.`,
    connected: (name: string, account: string) => `${name}: now connected as ${account}.`,
    attention: (name: string, word: string) => `${name}: ${word}.`,
    windowClosed: (name: string) => `The ${name} window seems to be closed.`,
    windowBlocked: (name: string) => `The ${name} window was blocked.`,
    denied: (name: string) => `${name} is not connected.`,
    revoked: (name: string) => `${name} is disconnected, and its access revoked.`,
    removed: (name: string) => `${name} is disconnected here.`,
  },
}

/** The catalogue of every visible or spoken sentence. */
export type Messages = typeof english

/** A catalogue to lay over the English one: any part of it, one level deep. */
export type MessageOverrides = {
  [Key in keyof Messages]?: Messages[Key] extends (...args: never[]) => string ? Messages[Key] : Partial<Messages[Key]>
}

const merged = new WeakMap<MessageOverrides, Messages>()

/** English, with an app's own words in place of it where there are any. The same object for the same words. */
export function withEnglish(overrides: MessageOverrides | undefined): Messages {
  if (!overrides) return english
  let messages = merged.get(overrides)
  if (!messages) {
    const groups = ['status', 'reasons', 'errors', 'spoken'] as const
    const own = groups.map((group) => [group, { ...english[group], ...overrides[group] }])
    messages = { ...english, ...overrides, ...Object.fromEntries(own) } as Messages
    merged.set(overrides, messages)
  }
  return messages
}

/** The words to use here. Not in the context itself: an app of hooks and parts of its own need not load them. */
export function useMessages(): Messages {
  return withEnglish(useKit().messages)
}

/** An error's sentence in the app's words, or its own where the catalogue has none. */
export function errorSentence(messages: Messages, error: LatchkeyError, name: string): string {
  return messages.errors[error.code]?.(name) ?? error.message
}
