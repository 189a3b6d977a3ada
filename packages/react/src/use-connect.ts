'use client'
import {
  type ConnectKeyOptions,
  type ConnectOptions,
  type ConnectOutcome,
  type KeyFields,
  LatchkeyError,
  type ProviderState,
  providerState,
  type Reason,
} from '@latchkey/core'
import { useMemo } from 'react'
import { useLatchkey, useSnapshot } from './hooks.ts'

/** How a connect ended; `failed` takes the place of a rejection. */
export type ConnectResult = ConnectOutcome | { status: 'failed'; error: LatchkeyError }

/** What {@link useConnect} returns. */
export interface UseConnect {
  /** Call it inside the click: it opens the window in the same tick. Never rejects. */
  connect: (options?: ConnectOptions) => Promise<ConnectResult>
  /** Connects with the fields of a key, where the provider takes one. Never rejects. */
  connectKey: (fields: KeyFields, options?: ConnectKeyOptions) => Promise<ConnectResult>
  /** Ends the flow under way. */
  cancel: () => void
  /** Loads what `connect` will need: for hover and focus. */
  prepare: () => void
  status: ProviderState['status']
  /** Why the last flow ended without an account, or what is known of the one under way. */
  reason: Reason | undefined
  /** What went wrong last; cleared by the next `connect`. */
  error: LatchkeyError | undefined
}

/** Connecting accounts of one provider. The functions are stable. */
export function useConnect(providerId: string): UseConnect {
  const client = useLatchkey()
  const state = useSnapshot((snapshot) => providerState(snapshot, providerId))
  const actions = useMemo(
    () => ({
      connect: (options?: ConnectOptions) => neverRejecting(() => client.connect(providerId, options), providerId),
      connectKey: (fields: KeyFields, options?: ConnectKeyOptions) =>
        neverRejecting(() => client.connectKey(providerId, fields, options), providerId),
      cancel: () => client.cancel(providerId),
      prepare: () => client.prepare(providerId),
    }),
    [client, providerId],
  )
  return { ...actions, status: state.status, reason: state.reason, error: state.error }
}

/** Runs a connect at once and turns what it throws into a `failed` result. */
export function neverRejecting(start: () => Promise<ConnectOutcome>, provider: string): Promise<ConnectResult> {
  const failed = (cause: unknown): ConnectResult => ({
    status: 'failed',
    error:
      cause instanceof LatchkeyError ? cause : new LatchkeyError('misuse', 'Connecting failed.', { provider, cause }),
  })
  try {
    return start().catch(failed)
  } catch (cause) {
    return Promise.resolve(failed(cause))
  }
}
