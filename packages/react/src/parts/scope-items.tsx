'use client'
import type { Provider } from '@latchkey/core'
import { meaningOf, useFirstMessages } from '../use-first-messages.ts'

/** A list's items for scopes: the provider's words, or the scope's own name where it gives none. */
export function ScopeItems({ provider, scopes }: { provider: Provider; scopes: readonly string[] }) {
  const messages = useFirstMessages()
  const meanings = provider.kind === 'api-key' ? {} : provider.scopeMeanings
  return scopes.map((scope) => (
    <li key={scope} data-sensitive={meanings[scope]?.sensitive}>
      <span>{meaningOf(messages, provider, scope)}</span>
      {meanings[scope]?.sensitive && <em>{messages.sensitive}</em>}
    </li>
  ))
}
