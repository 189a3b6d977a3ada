'use client'
import {
  type Account,
  type CardStatus,
  cardStatus,
  type DisconnectReceipt,
  type Provider,
  providerState,
} from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import {
  type ComponentPropsWithoutRef,
  createContext,
  type ElementType,
  forwardRef,
  type SyntheticEvent,
  useContext,
  useEffect,
  useState,
} from 'react'
import { useKit } from './context.tsx'
import { neverRejecting, useAccount, useConnect, useProvider, useSnapshot } from './hooks.ts'
import { brandMark } from './icons.tsx'
import { useMessages } from './messages.ts'
import { ScopeItems } from './scope-items.tsx'

/** Props of a part: those of its element, and `asChild` to put the part on an element of your own. */
export type PartProps<Tag extends ElementType> = ComponentPropsWithoutRef<Tag> & {
  /** Renders the one child in place of the part's own element. */
  asChild?: boolean
}

interface Subject {
  provider: Provider
  account: Account | undefined
  status: CardStatus
}

const SubjectContext = createContext<Subject | undefined>(undefined)

function useSubject(part: string): Subject {
  const subject = useContext(SubjectContext)
  if (!subject) throw new Error(`Latchkey: <Account.${part}> must be inside of <Account.Root provider="…">.`)
  return subject
}

/** Their handler first; ours only unless they prevented it. */
function after<Event extends SyntheticEvent>(
  theirs: ((event: Event) => void) | undefined,
  ours: (event: Event) => void,
): (event: Event) => void {
  return (event) => {
    theirs?.(event)
    if (!event.defaultPrevented) ours(event)
  }
}

export type RootProps = PartProps<'div'> & {
  /** Provider id. */
  provider: string
  /** Which of the provider's accounts. Default: its default account. */
  accountId?: string
}

/**
 * One account, or the place where one will be. Renders a `div` with `data-status` (a {@link CardStatus}) and
 * `data-provider`; nothing for a provider that the page does not know.
 */
export const Root = forwardRef<HTMLDivElement, RootProps>(function Root(
  { provider: providerId, accountId, asChild, ...props },
  ref,
) {
  const provider = useProvider(providerId)
  const account = useAccount(accountId ?? providerId)
  const status = useSnapshot((snapshot): CardStatus => {
    const busy = providerState(snapshot, providerId).status
    if (!accountId || busy !== 'idle') return cardStatus(snapshot, providerId)
    return snapshot.accounts[accountId]?.status ?? 'disconnected'
  })
  if (!provider) return null
  const Node = asChild ? Slot : 'div'
  return (
    <SubjectContext.Provider value={{ provider, account, status }}>
      <Node {...props} ref={ref} data-status={status} data-provider={providerId} />
    </SubjectContext.Provider>
  )
})

/** The provider's brand mark. Renders a `span`; children take the mark's place. */
export const Icon = forwardRef<HTMLSpanElement, PartProps<'span'>>(function Icon({ asChild, children, ...props }, ref) {
  const { provider } = useSubject('Icon')
  const { icons } = useKit()
  const Node = asChild ? Slot : 'span'
  return (
    <Node {...props} ref={ref}>
      {children ?? brandMark(provider.id, provider.name, icons)}
    </Node>
  )
})

/** The provider's name. Renders a `span`. */
export const Name = forwardRef<HTMLSpanElement, PartProps<'span'>>(function Name({ asChild, children, ...props }, ref) {
  const { provider } = useSubject('Name')
  const Node = asChild ? Slot : 'span'
  return (
    <Node {...props} ref={ref}>
      {children ?? provider.name}
    </Node>
  )
})

/** Who is connected. Renders a `span`, or nothing without an account. */
export const Identity = forwardRef<HTMLSpanElement, PartProps<'span'>>(function Identity(
  { asChild, children, ...props },
  ref,
) {
  const { account } = useSubject('Identity')
  if (!account) return null
  const Node = asChild ? Slot : 'span'
  return (
    <Node {...props} ref={ref}>
      {children ?? account.label}
    </Node>
  )
})

/**
 * What the account was granted, in plain words. Renders a `ul` with an `li` per scope (`data-sensitive` on those), or
 * nothing when the account has no scopes.
 */
export const Scopes = forwardRef<HTMLUListElement, PartProps<'ul'>>(function Scopes(
  { asChild, children, ...props },
  ref,
) {
  const { provider, account } = useSubject('Scopes')
  const messages = useMessages()
  if (!account?.scopes.length) return null
  const Node = asChild ? Slot : 'ul'
  return (
    <Node aria-label={messages.access(provider.name)} {...props} ref={ref}>
      {children ?? <ScopeItems provider={provider} scopes={account.scopes} />}
    </Node>
  )
})

/** The status word. Renders a `span` with `data-status`. */
export const Status = forwardRef<HTMLSpanElement, PartProps<'span'>>(function Status(
  { asChild, children, ...props },
  ref,
) {
  const { status } = useSubject('Status')
  const messages = useMessages()
  const Node = asChild ? Slot : 'span'
  return (
    <Node {...props} ref={ref} data-status={status}>
      {children ?? messages.status[status]}
    </Node>
  )
})

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

function relativeTime(milliseconds: number): string {
  const [unit, size] = UNITS.find((entry) => Math.abs(milliseconds) >= entry[1]) ?? ['second', 1000]
  return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(Math.round(milliseconds / size), unit)
}

/** Milliseconds until then, kept up to date: by the second in the last two minutes, else four times a minute. */
function useTimeLeft(ends = 0): number {
  const [, tick] = useState(0)
  const left = ends - Date.now()
  const pace = left < 120_000 ? 1000 : 15_000
  useEffect(() => {
    if (ends === 0) return
    const timer = setInterval(() => tick((count) => count + 1), pace)
    return () => clearInterval(timer)
  }, [ends, pace])
  return left
}

/** When an account that cannot be renewed ends, kept up to date. Renders a `time`, or nothing unless it is expiring. */
export const Expiry = forwardRef<HTMLTimeElement, PartProps<'time'>>(function Expiry(
  { asChild, children, ...props },
  ref,
) {
  const { account } = useSubject('Expiry')
  const messages = useMessages()
  const ends = account?.status === 'expiring' ? account.expiresAt : undefined
  const left = useTimeLeft(ends)
  if (ends === undefined) return null
  const Node = asChild ? Slot : 'time'
  return (
    <Node dateTime={new Date(ends).toISOString()} {...props} ref={ref}>
      {children ?? messages.expires(relativeTime(left))}
    </Node>
  )
})

/** Connects an account in the click's own tick. Renders a `button` with `data-status`. */
export const Connect = forwardRef<HTMLButtonElement, PartProps<'button'>>(function Connect(
  { asChild, children, onClick, onPointerEnter, onFocus, ...props },
  ref,
) {
  const { provider, status } = useSubject('Connect')
  const messages = useMessages()
  const { connect, prepare } = useConnect(provider.id)
  const Node = asChild ? Slot : 'button'
  return (
    <Node
      type="button"
      {...props}
      ref={ref}
      data-status={status}
      onPointerEnter={after(onPointerEnter, prepare)}
      onFocus={after(onFocus, prepare)}
      onClick={after(onClick, () => connect())}
    >
      {children ?? messages.connect(provider.name)}
    </Node>
  )
})

/** Connects the account again, in the click's own tick. Renders a `button`, or nothing without an account. */
export const Reconnect = forwardRef<HTMLButtonElement, PartProps<'button'>>(function Reconnect(
  { asChild, children, onClick, onPointerEnter, onFocus, ...props },
  ref,
) {
  const { provider, account, status } = useSubject('Reconnect')
  const { client } = useKit()
  const messages = useMessages()
  const { prepare } = useConnect(provider.id)
  if (!account) return null
  const Node = asChild ? Slot : 'button'
  return (
    <Node
      type="button"
      {...props}
      ref={ref}
      data-status={status}
      onPointerEnter={after(onPointerEnter, prepare)}
      onFocus={after(onFocus, prepare)}
      onClick={after(onClick, () => neverRejecting(() => client.reconnect(account.id), provider.id))}
    >
      {children ?? messages.reconnect(provider.name)}
    </Node>
  )
})

export type DisconnectProps = PartProps<'button'> & {
  /** Called with what became of the access at the provider. */
  onDisconnected?: (receipt: DisconnectReceipt) => void
}

/**
 * Disconnects the account at once; to ask first, prevent the click and call `useDisconnect` yourself. Renders a
 * `button`, or nothing without an account.
 */
export const Disconnect = forwardRef<HTMLButtonElement, DisconnectProps>(function Disconnect(
  { asChild, children, onClick, onDisconnected, ...props },
  ref,
) {
  const { provider, account, status } = useSubject('Disconnect')
  const { client } = useKit()
  const messages = useMessages()
  if (!account) return null
  const Node = asChild ? Slot : 'button'
  return (
    <Node
      type="button"
      {...props}
      ref={ref}
      data-status={status}
      onClick={after(onClick, () => client.disconnect(account.id).then(onDisconnected))}
    >
      {children ?? messages.disconnect(provider.name)}
    </Node>
  )
})
