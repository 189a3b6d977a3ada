'use client'
import type { Provider } from '@latchkey/core'
import { meaningOf } from '../use-first-messages.ts'
import { useMessages } from '../use-messages.ts'

/** A list's items for scopes: the provider's words, or the scope's own name where it gives none. */
export function ScopeItems({ provider, scopes }: { provider: Provider; scopes: readonly string[] }) {
  const messages = useMessages()
  const meanings = provider.kind === 'api-key' ? {} : provider.scopeMeanings
  return scopes.map((scope) => (
    <li key={scope} data-sensitive={meanings[scope]?.sensitive}>
      <span>{meaningOf(messages, provider, scope)}</span>
      {meanings[scope]?.sensitive && (
        <em>
          <Shield />
          {messages.sensitive}
        </em>
      )}
    </li>
  ))
}

/** A shield: think before you allow this. */
function Shield() {
  return (
    <svg viewBox="0 0 12 12" fill="none" stroke="currentColor" strokeWidth="1.3" aria-hidden="true">
      <path d="M6 1 2 2.5v3C2 8 3.7 10 6 11c2.3-1 4-3 4-5.5v-3z" strokeLinejoin="round" />
    </svg>
  )
}
