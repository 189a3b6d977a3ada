'use client'
import type { ApiKeyProvider, ConnectOutcome } from '@latchkey/core'
import { KeyForm } from './key-form.tsx'

export interface ApiKeyFormProps {
  provider: ApiKeyProvider
  /**
   * The account whose key is replaced: the one it has stays in use until the new one is verified. A key that nobody can
   * check does not take the place of one whose owner is known. Default: a new account.
   */
  accountId?: string
  id?: string
  /** For a form that opens at a click: its first field takes the focus. */
  focusOnMount?: boolean
  /** Called when the key was taken and its account is connected. */
  onConnected?: (outcome: Extract<ConnectOutcome, { status: 'connected' }>) => void
  /** Called on Escape and Cancel. Without it there is no Cancel. */
  onCancel?: () => void
}

/**
 * Takes an API key with all fields that the provider's data names, or a whole credential file pasted or dropped, asks the provider about it, and connects. A refused
 * key stays in the form. Secret fields can be looked at until they are left. Inputs are uncontrolled and read on submit: a key is never in React state, props or caches.
 *
 * A component of its own, and not another name of the form, because the panel loads the form on intent and bundlers
 * keep nothing out of the first load that index.ts exports directly.
 */
export function ApiKeyForm(props: ApiKeyFormProps) {
  return (
    <div className="latchkey latchkey-stack">
      <KeyForm {...props} />
    </div>
  )
}
