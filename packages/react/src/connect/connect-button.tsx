'use client'
import type { Provider } from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import { type ComponentPropsWithoutRef, type ForwardedRef, forwardRef, useRef, useState } from 'react'
import { useKit, useProvider } from '../hooks.ts'
import { after } from '../parts/context.tsx'
import { classes } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { useConnectControl } from './connect-control.tsx'
import { useConnectPlace } from './connect-notice.tsx'
import { type ConnectIntent, connectWords } from './start.ts'

/** Props of {@link ConnectButton}. */
export type ConnectButtonProps = ConnectIntent &
  Omit<ComponentPropsWithoutRef<'button'>, keyof ConnectIntent | 'type' | 'aria-label'> & {
    /** Provider id. */
    provider: string
    /** `full`: mark and "Connect GitHub"; `compact`: "Connect"; `icon`: the mark. @default `full` */
    variant?: 'full' | 'compact' | 'icon'
    /** How large the button is. @default `medium` */
    size?: 'small' | 'medium' | 'large'
    /** How much weight the button has on its page. @default `primary` */
    kind?: 'primary' | 'secondary' | 'quiet'
    /** Puts the button on the one child, with that child's look and words. */
    asChild?: boolean
    /** Asks what the agent may do before the window opens. @default what the LatchkeyProvider says */
    consent?: boolean
  }

/**
 * A button that connects an account of one provider, with all that can follow from it: waiting, a blocked window, a
 * no, an error, a key form. Renders a `button` with `data-status` (a `CardStatus`), to which ref, class and further
 * props go, and below it what there is to say. Nothing for a provider that the page does not know.
 */
export const ConnectButton = /* @__PURE__ */ forwardRef<HTMLButtonElement, ConnectButtonProps>(function ConnectButton(
  { provider: providerId, ...props },
  ref,
) {
  const provider = useProvider(providerId)
  if (!provider) return null
  return (
    <LiveRegion>
      <StandaloneControl {...props} provider={provider} buttonRef={ref} />
    </LiveRegion>
  )
})

type StandaloneControlProps = Omit<ConnectButtonProps, 'provider'> & {
  provider: Provider
  buttonRef: ForwardedRef<HTMLButtonElement>
}

function StandaloneControl({ provider, buttonRef, ...props }: StandaloneControlProps) {
  const { variant = 'full', size = 'medium', kind = 'primary', consent, asChild, className, children, ...rest } = props
  const { accountId, accountLabel, scopes, intent: meant, onConnected, ...others } = rest
  const messages = useFirstMessages()
  const { icons } = useKit()
  const { name } = provider
  const stack = useRef<HTMLDivElement>(null)
  const [started, setStarted] = useState<ConnectIntent>()
  const intent = { accountId, accountLabel, scopes, intent: meant, onConnected }
  const { open, props: ours, below } = useConnectControl(provider, intent, { consent, onStart: setStarted })
  const { status, notice, keptFocus } = useConnectPlace(stack, { provider, ...intent, ...started })

  const busy = status === 'connecting' && provider.kind !== 'api-key'
  const words = connectWords(messages, name, intent)
  const look = asChild
    ? { className }
    : {
        type: 'button' as const,
        className: classes('latchkey-button latchkey-connect', className),
        'data-kind': open ? 'secondary' : kind,
        'data-size': size,
        'data-variant': variant,
      }
  const Node = asChild ? Slot : 'button'
  return (
    <div ref={stack} className="latchkey latchkey-stack">
      <Node
        {...look}
        // Words or an element of the app's own name it themselves.
        aria-label={children === undefined ? (busy ? messages.spoken.connecting(name) : words.name) : undefined}
        {...others}
        {...ours}
        ref={buttonRef}
        disabled={others.disabled || status === 'loading'}
        data-status={status}
        data-provider={provider.id}
        onPointerEnter={after(others.onPointerEnter, ours.onPointerEnter)}
        onFocus={after(others.onFocus, ours.onFocus)}
        onClick={after(others.onClick, ours.onClick)}
      >
        {children ?? (
          <>
            {busy && <span className="latchkey-spinner" aria-hidden="true" />}
            {!busy && variant !== 'compact' && (
              <span className="latchkey-button-mark">{brandMark(provider, icons)}</span>
            )}
            {variant !== 'icon' &&
              (busy ? messages.status.connecting : words[variant === 'compact' ? 'label' : 'name'])}
          </>
        )}
      </Node>
      {below}
      {keptFocus}
      {notice}
    </div>
  )
}
