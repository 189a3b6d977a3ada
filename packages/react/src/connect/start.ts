'use client'
import { type ConnectOptions, type ConnectOutcome, defaultAccount, type Provider } from '@latchkey/core'
import { useKit } from '../hooks.ts'
import type { FirstMessages } from '../messages/messages.ts'
import { type ConnectResult, neverRejecting } from '../use-connect.ts'

/** What a connect is about. */
export interface ConnectIntent {
  /** The account to connect again. */
  accountId?: string
  /** The account's name for the button, when the provider has several. */
  accountLabel?: string
  /** Scopes to ask for. @default the provider's */
  scopes?: readonly string[]
  /**
   * Whether one more account is meant.
   *
   * @default 'add-account' when neither scopes nor an account are named
   */
  intent?: ConnectOptions['intent']
  /** Called when an account was connected here. */
  onConnected?: (outcome: Extract<ConnectOutcome, { status: 'connected' }>) => void
}

/** What a button is called that starts the intent's flow: the visible word, and the accessible name. */
export function connectWords(messages: FirstMessages, provider: string, { accountId, accountLabel }: ConnectIntent) {
  return accountId === undefined
    ? { label: messages.connectShort, name: messages.connect(provider) }
    : { label: messages.reconnectShort, name: messages.reconnect(provider, accountLabel) }
}

/** Starts the intent's flow in this very tick. */
export function useStart(provider: Provider, { accountId, scopes, intent, onConnected }: ConnectIntent) {
  const { client, keep } = useKit()
  return (mode?: ConnectOptions['mode'], chosen = scopes, meant = intent): Promise<ConnectResult> => {
    const added =
      meant ?? (accountId || chosen || !defaultAccount(client.getSnapshot(), provider.id) ? undefined : 'add-account')
    const options: ConnectOptions = {
      ...(mode && (mode === 'redirect' ? { mode, keep: keep() } : { mode })),
      ...(added && { intent: added }),
    }
    const result = neverRejecting(
      () =>
        accountId && !chosen
          ? client.reconnect(accountId, mode && options)
          : client.connect(provider.id, chosen ? { ...options, scopes: chosen, accountId } : options),
      provider.id,
    )
    result.then((outcome) => outcome.status === 'connected' && onConnected?.(outcome))
    return result
  }
}
