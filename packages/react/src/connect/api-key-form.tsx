'use client'
import { type ApiKeyFormProps, KeyForm } from './key-form.lazy.tsx'

export type { ApiKeyFormProps }

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
