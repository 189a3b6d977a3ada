'use client'
import type { DisconnectReceipt } from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import { type ForwardedRef, forwardRef, type ReactNode } from 'react'
import { useKit } from '../hooks.ts'
import { Face } from '../ui/avatar.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useRelativeTime } from '../ui/relative-time.ts'
import { neverRejecting, useConnect } from '../use-connect.ts'
import { useMessages } from '../use-messages.ts'
import { after, type PartProps, type Subject, SubjectContext, useSubject, useSubjectOf } from './context.tsx'
import { ScopeItems } from './scope-items.tsx'

// Parts that nothing shows at first sight have modules of their own, so the panel can load them later.
export { RawScopes, Since } from './account-facts.tsx'
export { Option, Switcher, type SwitcherProps } from './switcher.tsx'
export type { PartProps }

/** Props of `Account.Root`. */
export type RootProps = PartProps<'div'> & {
  /** Provider id. */
  provider: string
  /** Which of the provider's accounts. @default its default account */
  accountId?: string
}

/**
 * One account, or the place where one will be. Renders a `div` with `data-status` (a `CardStatus`) and
 * `data-provider`; nothing for a provider that the page does not know.
 */
export const Root = /* @__PURE__ */ forwardRef<HTMLDivElement, RootProps>(function Root(
  { provider: providerId, accountId, asChild, ...props },
  ref,
) {
  const subject = useSubjectOf(providerId, accountId)
  if (!subject) return null
  const Node = asChild ? Slot : 'div'
  return (
    <SubjectContext.Provider value={subject}>
      <Node {...props} ref={ref} data-status={subject.status} data-provider={providerId} />
    </SubjectContext.Provider>
  )
})

/** Makes a part: a `span` with what its subject says, or with its children; nothing where there is nothing to say. */
function spanPart(name: string, useWords: (subject: Subject) => ReactNode, attributes?: (subject: Subject) => object) {
  function Part({ asChild, children, ...props }: PartProps<'span'>, ref: ForwardedRef<HTMLSpanElement>) {
    const subject = useSubject(name)
    const words = useWords(subject)
    const Node = asChild ? Slot : 'span'
    if (words === undefined) return null
    return (
      <Node {...props} ref={ref} {...attributes?.(subject)}>
        {children ?? words}
      </Node>
    )
  }
  Part.displayName = name
  return forwardRef(Part)
}

/** The provider's brand mark. Renders a `span`; children take the mark's place. */
export const Icon = /* @__PURE__ */ spanPart('Icon', ({ provider }) => {
  const { icons } = useKit()
  return brandMark(provider.id, provider.name, icons)
})

/** The provider's name. Renders a `span`. */
export const Name = /* @__PURE__ */ spanPart('Name', ({ provider }) => provider.name)

/** Who is connected. Renders a `span`, or nothing without an account. */
export const Identity = /* @__PURE__ */ spanPart('Identity', ({ account }) => account?.label)

/** The person's picture, or their first letter. Renders a `span`, or nothing without an account. */
export const Avatar = /* @__PURE__ */ spanPart('Avatar', ({ account }) => account && <Face account={account} />)

/**
 * What the account was granted, in plain words. Renders a `ul` with an `li` per scope (`data-sensitive` on those), or
 * nothing when the account has no scopes.
 */
export const Scopes = /* @__PURE__ */ forwardRef<HTMLUListElement, PartProps<'ul'>>(function Scopes(
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
export const Status = /* @__PURE__ */ spanPart(
  'Status',
  ({ status }) => useMessages().status[status],
  ({ status }) => ({ 'data-status': status }),
)

/** Why the status is what it is, as a sentence. Renders a `span` with `data-reason`, or nothing without a reason. */
export const Reason = /* @__PURE__ */ forwardRef<HTMLSpanElement, PartProps<'span'>>(function Reason(
  { asChild, children, ...props },
  ref,
) {
  const { provider, status, reason } = useSubject('Reason')
  const messages = useMessages()
  const sentence =
    children ?? (status === 'paused' ? messages.paused : reason && messages.reasons[reason]?.(provider.name))
  if (!sentence) return null
  const Node = asChild ? Slot : 'span'
  return (
    <Node {...props} ref={ref} data-reason={reason}>
      {sentence}
    </Node>
  )
})

/** Props of `Account.Expiry`. */
export type ExpiryProps = PartProps<'time'> & {
  /**
   * `expiring`: only when the account ends soon and nothing can renew it. `known`: whenever the account says when its
   * access ends or is renewed.
   *
   * @default `expiring`
   */
  when?: 'expiring' | 'known'
}

/** When an account's access ends, kept up to date. Renders a `time`, or nothing when there is nothing to say. */
export const Expiry = /* @__PURE__ */ forwardRef<HTMLTimeElement, ExpiryProps>(function Expiry(
  { asChild, children, when = 'expiring', ...props },
  ref,
) {
  const { account } = useSubject('Expiry')
  const messages = useMessages()
  const ends = when === 'known' || account?.status === 'expiring' ? account?.expiresAt : undefined
  const words = useRelativeTime(ends, messages.locale)
  if (ends === undefined) return null
  const over = ends <= Date.now()
  const sentence = account?.renewable
    ? over
      ? messages.renewsOnUse
      : messages.renews(words)
    : (over ? messages.expired : messages.expires)(words)
  const Node = asChild ? Slot : 'time'
  return (
    <Node dateTime={new Date(ends).toISOString()} {...props} ref={ref}>
      {children ?? sentence}
    </Node>
  )
})

/** The button of a part, with its subject's status. */
const Action = /* @__PURE__ */ forwardRef<HTMLButtonElement, PartProps<'button'>>(function Action(
  { asChild, ...props },
  ref,
) {
  const { status } = useSubject('Action')
  const Node = asChild ? Slot : 'button'
  return <Node type="button" {...props} ref={ref} data-status={status} />
})

/** The handlers of a button that starts a connect: it loads the code on hover and focus. */
function useStartHandlers({ onClick, onPointerEnter, onFocus }: PartProps<'button'>, id: string, start: () => unknown) {
  const { client } = useKit()
  const prepare = () => client.prepare(id)
  return {
    onPointerEnter: after(onPointerEnter, prepare),
    onFocus: after(onFocus, prepare),
    onClick: after(onClick, start),
  }
}

/**
 * Connects an account in the click's own tick. Renders a `button` with `data-status`.
 *
 * @throws Error for a provider that takes an API key: use an `ApiKeyForm` or a `ConnectButton`.
 */
export const Connect = /* @__PURE__ */ forwardRef<HTMLButtonElement, PartProps<'button'>>(function Connect(props, ref) {
  const { provider } = useSubject('Connect')
  const messages = useMessages()
  const { connect } = useConnect(provider.id)
  const handlers = useStartHandlers(props, provider.id, () => connect())
  if (provider.kind === 'api-key')
    throw new Error(
      `Latchkey: <Account.Connect> has no form for a key: use <ApiKeyForm> or <ConnectButton provider="${provider.id}">.`,
    )
  return (
    <Action {...props} {...handlers} ref={ref}>
      {props.children ?? messages.connect(provider.name)}
    </Action>
  )
})

/**
 * Connects the account again, in the click's own tick. Renders a `button`; nothing without an account, or for one with
 * an API key, which an `ApiKeyForm` with the `accountId` replaces.
 */
export const Reconnect = /* @__PURE__ */ forwardRef<HTMLButtonElement, PartProps<'button'>>(
  function Reconnect(props, ref) {
    const { provider, account } = useSubject('Reconnect')
    const { client } = useKit()
    const messages = useMessages()
    const reconnect = () => account && neverRejecting(() => client.reconnect(account.id), provider.id)
    const handlers = useStartHandlers(props, provider.id, reconnect)
    if (!account || provider.kind === 'api-key') return null
    return (
      <Action {...props} {...handlers} ref={ref}>
        {props.children ?? messages.reconnect(provider.name)}
      </Action>
    )
  },
)

/** Props of `Account.Disconnect`. */
export type DisconnectProps = PartProps<'button'> & {
  /** Called with the receipt: whether the access was revoked or only removed here. */
  onDisconnected?: (receipt: DisconnectReceipt) => void
}

/**
 * Disconnects the account at once; to ask first, prevent the click and call `useDisconnect` yourself. Renders a
 * `button`, or nothing without an account.
 */
export const Disconnect = /* @__PURE__ */ forwardRef<HTMLButtonElement, DisconnectProps>(function Disconnect(
  { children, onClick, onDisconnected, ...props },
  ref,
) {
  const { provider, account } = useSubject('Disconnect')
  const { client } = useKit()
  const messages = useMessages()
  if (!account) return null
  return (
    <Action {...props} ref={ref} onClick={after(onClick, () => client.disconnect(account.id).then(onDisconnected))}>
      {children ?? messages.disconnect(provider.name)}
    </Action>
  )
})
