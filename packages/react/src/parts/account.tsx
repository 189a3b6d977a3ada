'use client'
import type { DisconnectReceipt } from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import {
  type ElementType,
  type ForwardedRef,
  type ForwardRefExoticComponent,
  forwardRef,
  type ReactNode,
  type RefAttributes,
} from 'react'
import { useKit } from '../hooks.ts'
import { Face } from '../ui/avatar.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useRelativeTime } from '../ui/relative-time.ts'
import { neverRejecting, useConnect } from '../use-connect.ts'
import { useMessages } from '../use-messages.ts'
import { after, type PartProps, type Subject, SubjectContext, useSubject, useSubjectOf } from './context.tsx'
import { ScopeItems } from './scope-items.tsx'

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

/** What a part shows, and attributes of its own. */
type Content = { children: ReactNode } & Record<string, unknown>

/** Makes a part: an element with what its subject says, or with its children; nothing where there is nothing to say. */
function part<Tag extends 'span' | 'time' | 'ul'>(
  tag: Tag,
  name: string,
  useContent: (subject: Subject) => Content | false | undefined,
) {
  function Part({ asChild, children, ...props }: PartProps<'span'>, ref: ForwardedRef<HTMLElement>) {
    const content = useContent(useSubject(name))
    const Node: ElementType = asChild ? Slot : tag
    if (!content) return null
    return (
      <Node {...content} {...props} ref={ref}>
        {children ?? content.children}
      </Node>
    )
  }
  Part.displayName = name
  return forwardRef(Part) as ForwardRefExoticComponent<PartProps<Tag> & RefAttributes<HTMLElementTagNameMap[Tag]>>
}

/** The provider's brand mark. Renders a `span`; children take the mark's place. */
export const Icon = /* @__PURE__ */ part('span', 'Icon', ({ provider }) => ({
  children: brandMark(provider, useKit().icons),
}))

/** The provider's name. Renders a `span`. */
export const Name = /* @__PURE__ */ part('span', 'Name', ({ provider }) => ({ children: provider.name }))

/** Who is connected. Renders a `span`, or nothing without an account. */
export const Identity = /* @__PURE__ */ part(
  'span',
  'Identity',
  ({ account }) => account && { children: account.label },
)

/** The person's picture, or their first letter. Renders a `span`, or nothing without an account. */
export const Avatar = /* @__PURE__ */ part(
  'span',
  'Avatar',
  ({ account }) => account && { children: <Face name={account.name ?? account.label} src={account.avatar} /> },
)

/** Since when the account is connected, as a date. Renders a `time`, or nothing without an account. */
export const Since = /* @__PURE__ */ part('time', 'Since', ({ account }) => {
  const { locale } = useMessages()
  if (!account) return undefined
  const date = new Date(account.connectedAt)
  return {
    dateTime: date.toISOString(),
    children: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(date),
  }
})

/**
 * What the account was granted, in plain words. Renders a `ul` with an `li` per scope (`data-sensitive` on those), or
 * nothing when the account has no scopes.
 */
export const Scopes = /* @__PURE__ */ part('ul', 'Scopes', ({ provider, account }) => {
  const label = useMessages().access(provider.name)
  const scopes = account?.scopes ?? []
  return scopes.length > 0 && { 'aria-label': label, children: <ScopeItems provider={provider} scopes={scopes} /> }
})

/**
 * The scopes as the provider spells them. Renders a `ul` with a `code` per scope (`data-extra` on those that were
 * not asked for), or nothing when the account has no scopes.
 */
export const RawScopes = /* @__PURE__ */ part('ul', 'RawScopes', ({ provider, account }) => {
  const label = useMessages().rawScopes(provider.name)
  const items = account?.scopes.map((scope) => (
    <li key={scope} data-extra={account.extraScopes?.includes(scope) || undefined}>
      <code>{scope}</code>
    </li>
  ))
  return items?.length ? { 'aria-label': label, children: items } : undefined
})

/** The status word. Renders a `span` with `data-status`. */
export const Status = /* @__PURE__ */ part('span', 'Status', ({ status }) => ({
  'data-status': status,
  children: useMessages().status[status],
}))

/** Why the status is what it is, as a sentence. Renders a `span` with `data-reason`, or nothing without a reason. */
export const Reason = /* @__PURE__ */ part('span', 'Reason', ({ provider, status, reason }) => {
  const messages = useMessages()
  const sentence = status === 'paused' ? messages.paused : reason && messages.reasons[reason]?.(provider.name)
  return sentence ? { 'data-reason': reason, children: sentence } : undefined
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
