'use client'
import {
  accountsOf,
  type CardStatus,
  type ConnectedAccount,
  cardStatus,
  type Provider,
  providerState,
  type Reason,
  type Snapshot,
} from '@latchkey/core'
import {
  type ComponentPropsWithoutRef,
  createContext,
  type ElementType,
  type ReactNode,
  type SyntheticEvent,
  useContext,
} from 'react'
import { useAccount, useProvider, useSnapshot } from '../hooks.ts'

/** Props of a part: those of its element, and `asChild` to put the part on an element of your own. */
export type PartProps<Tag extends ElementType> = ComponentPropsWithoutRef<Tag> & {
  /** Renders the one child in place of the part's own element. */
  asChild?: boolean
}

/** What parts are about: a provider, and one of its accounts if there is one. */
export interface Subject {
  provider: Provider
  account: ConnectedAccount | undefined
  status: CardStatus
  reason: Reason | undefined
}

export const SubjectContext = /* @__PURE__ */ createContext<Subject | undefined>(undefined)

export function useSubject(part: string): Subject {
  const subject = useContext(SubjectContext)
  if (!subject) throw new Error(`Latchkey: <Account.${part}> must be inside of <Account.Root provider="…">.`)
  return subject
}

/** Why a card has its status: what its connect ran into, else what its account with that status says. */
function cardReason(snapshot: Snapshot, providerId: string, status: CardStatus): Reason | undefined {
  const { reason } = providerState(snapshot, providerId)
  return reason ?? accountsOf(snapshot, providerId).find((account) => account.status === status)?.reason
}

/** One account, or the place where one will be; undefined for a provider that the page does not know. */
export function useSubjectOf(providerId: string, accountId: string | undefined): Subject | undefined {
  const provider = useProvider(providerId)
  const account = useAccount(accountId === undefined ? providerId : { accountId })
  const status = useSnapshot((snapshot): CardStatus => {
    const busy = providerState(snapshot, providerId).status
    if (!accountId || busy !== 'idle') return cardStatus(snapshot, providerId)
    return snapshot.accounts[accountId]?.status ?? 'disconnected'
  })
  const reason = useSnapshot((snapshot) =>
    accountId ? snapshot.accounts[accountId]?.reason : cardReason(snapshot, providerId, status),
  )
  return provider && { provider, account, status, reason }
}

/** Which account a component is about. */
export interface AboutProps {
  /** Provider id. @default that of the `Account.Root` around it */
  provider?: string
  /** Which of the provider's accounts. @default that of the `Account.Root` around it, else the provider's default one */
  accountId?: string
}

/** Gives parts below what they are about, where the component around them was told it by props. */
export function About({ provider, accountId, children }: AboutProps & { children: ReactNode }) {
  const outer = useContext(SubjectContext)
  const providerId = provider ?? (accountId === undefined ? undefined : outer?.provider.id)
  const subject = useSubjectOf(providerId ?? '', accountId)
  if (providerId === undefined) return children
  return subject && <SubjectContext.Provider value={subject}>{children}</SubjectContext.Provider>
}

/** Their handler first; ours only unless they prevented it. */
export function after<Event extends SyntheticEvent>(
  theirs: ((event: Event) => void) | undefined,
  ours: (event: Event) => void,
): (event: Event) => void {
  return (event) => {
    theirs?.(event)
    if (!event.defaultPrevented) ours(event)
  }
}
