'use client'
import { useState } from 'react'
import { useProvider } from '../hooks.ts'
import { meaningOf, useFirstMessages } from '../use-first-messages.ts'

/** One thing that an agent may be allowed to do. */
export interface ConsentItem {
  scope: string
  /** In the provider's plain words, or the scope's name where it has none. */
  label: string
  access: 'read' | 'write' | undefined
  sensitive: boolean
  /** `granted`: allowed before; `required`: cannot be left out; `optional`: the person's choice. */
  kind: 'granted' | 'required' | 'optional'
  /** Whether it would be asked for. */
  chosen: boolean
}

/** What `useConsent` takes. */
export interface UseConsentOptions {
  /** Provider id. */
  provider: string
  /** Scopes to ask for. @default the provider's */
  asked?: readonly string[]
  /** What the account was granted before. @default nothing */
  granted?: readonly string[]
}

/** What `useConsent` returns. */
export interface UseConsent {
  items: readonly ConsentItem[]
  /** Chooses one of the optional items, or not. */
  setChosen: (scope: string, chosen: boolean) => void
  /**
   * What to pass to `connect(provider, { scopes })`: all that was granted before, what is required, and what was chosen.
   * Undefined while that is nothing new.
   */
  scopes: readonly string[] | undefined
}

/**
 * What a person decides before a window opens, for a dialog of your own. Everything optional is preselected, unless it
 * is sensitive.
 */
export function useConsent({ provider: providerId, asked, granted = [] }: UseConsentOptions): UseConsent {
  const known = useProvider(providerId)
  const provider = known?.kind === 'api-key' ? undefined : known
  const messages = useFirstMessages()
  const [choices, setChoices] = useState<Readonly<Record<string, boolean>>>({})
  const scopes = provider ? [...new Set([...granted, ...(asked ?? provider.scopes)])] : []
  const items = scopes.map((scope): ConsentItem => {
    const meaning = provider && Object.hasOwn(provider.scopeMeanings, scope) ? provider.scopeMeanings[scope] : undefined
    const sensitive = meaning?.sensitive === true
    const required = provider?.requiredScopes?.includes(scope)
    const kind = granted.includes(scope) ? 'granted' : required ? 'required' : 'optional'
    const chosen = kind !== 'optional' || (choices[scope] ?? !sensitive)
    return {
      scope,
      label: provider ? meaningOf(messages, provider, scope) : scope,
      access: meaning?.access,
      sensitive,
      kind,
      chosen,
    }
  })
  const chosen = items.filter((item) => item.chosen)
  return {
    items,
    setChosen: (scope, choice) => setChoices((others) => ({ ...others, [scope]: choice })),
    scopes: chosen.some(({ kind }) => kind !== 'granted') ? chosen.map(({ scope }) => scope) : undefined,
  }
}
