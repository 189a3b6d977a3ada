'use client'
import type { Provider } from '@latchkey/core'
import { createContext, type ReactNode } from 'react'

/** The scopes of a sign-in that can change nothing, where they are fewer than those to ask for. */
export function readOnlyOf(provider: Provider | undefined, scopes?: readonly string[]): readonly string[] | undefined {
  if (!provider || provider.kind === 'api-key') return undefined
  const { readOnlyScopes, scopes: usual } = provider
  return (scopes ?? usual).every((scope) => readOnlyScopes?.includes(scope)) ? undefined : readOnlyScopes
}

/** What is said below the scopes of a consent. */
export interface ConsentMoreProps {
  provider: string
  scopes: readonly string[]
  /** Label of the account that is given more. */
  account?: string | undefined
}

/** Filled by an `OversightProvider`, which knows what agents would do with the scopes. */
export const ConsentMoreContext = /* @__PURE__ */ createContext<(props: ConsentMoreProps) => ReactNode>(() => null)
