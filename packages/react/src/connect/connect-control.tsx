'use client'
import { defaultAccount, type Provider } from '@latchkey/core'
import { type MouseEvent, useId, useRef, useState } from 'react'
import { useKit, useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import { loadSpokenStatus } from '../parts/spoken-status.ts'
import { Button } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { useConnect } from '../use-connect.ts'
import { useFirstMessages } from '../use-first-messages.ts'
import { type ConnectIntent, connectWords, useStart } from './start.ts'

const useForm = /* @__PURE__ */ later(() => import('./key-form.lazy.tsx'), 'KeyForm')
const useConsentQuestion = /* @__PURE__ */ later(() => import('../dialogs/questions.lazy.tsx'), 'ConsentQuestion')

/** What there is to decide before a window opens. Nothing when the app does not want it asked, or all was agreed before. */
function useConsentFor(provider: Provider, { accountId, scopes }: ConnectIntent, wanted: boolean | undefined) {
  const { consent } = useKit()
  // Scopes without an account are added to the default one: that is how the client understands it.
  const account = useSnapshot((snapshot) =>
    accountId ? snapshot.accounts[accountId] : scopes && defaultAccount(snapshot, provider.id),
  )
  if (!(wanted ?? consent) || provider.kind === 'api-key') return {}
  const granted = account?.scopes ?? []
  const asked = scopes ?? (account ? granted : provider.scopes)
  if (asked.some((scope) => !granted.includes(scope)))
    return { question: { provider: provider.id, asked, granted, account: account?.label } }
  // What the person left out before is not asked for again without a question.
  return { scopes: account && granted.length > 0 ? granted : undefined }
}

export interface ControlOptions {
  /** Asks what the agent may do before the window opens. @default what the LatchkeyProvider says */
  consent?: boolean
  /** Called in the click that starts it. */
  onStart?: (intent: ConnectIntent) => void
}

/** What a connect button does: its handlers and ARIA, and the dialog or form that it opens. */
export function useConnectControl(provider: Provider, intent: ConnectIntent, { consent, onStart }: ControlOptions) {
  const { status, prepare } = useConnect(provider.id)
  const start = useStart(provider, intent)
  const { question, scopes } = useConsentFor(provider, intent, consent)
  const [Form, loadForm] = useForm()
  const [Consent, loadConsent] = useConsentQuestion()
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState<{ home: Element | null }>()
  const button = useRef<HTMLElement>(undefined)
  const formId = useId()
  const takesKey = provider.kind === 'api-key'

  const foresee = () => {
    if (!navigator.onLine) return
    prepare()
    // What fails is asked for again when there is something to show or say.
    Promise.all([import('./events.lazy.ts'), loadSpokenStatus()]).catch(() => {})
    if (takesKey) loadForm()
    if (question) loadConsent()
  }
  const press = (target: HTMLElement) => {
    button.current = target
    // Where a window is open already, the client brings it to the front.
    if (question && status !== 'connecting') {
      loadConsent()
      return setAsking({ home: target.closest('.latchkey') })
    }
    onStart?.(scopes ? { ...intent, scopes } : intent)
    if (!takesKey) return void start(undefined, scopes)
    loadForm()
    setOpen(!open)
  }
  const agree = (chosen: readonly string[]) => {
    setAsking(undefined)
    // Without an account and scopes of its own it was one more that was meant, and it still is.
    const meant = intent.intent ?? (intent.accountId || intent.scopes ? undefined : 'add-account')
    onStart?.({ ...intent, scopes: chosen, intent: meant })
    void start(undefined, chosen, meant)
  }
  // The button may be gone with the state that it was for.
  const refocus = (home?: Element | null) => (button.current?.isConnected ? button.current : firstStop(home))?.focus()
  return {
    open,
    props: {
      'aria-haspopup': question && ('dialog' as const),
      'aria-expanded': takesKey ? open : undefined,
      'aria-controls': takesKey && open ? formId : undefined,
      onPointerEnter: foresee,
      onFocus: foresee,
      onClick: ({ currentTarget }: MouseEvent<HTMLElement>) => press(currentTarget),
    },
    /** The same from elsewhere, as from a menu: `target` is where the focus goes back to. */
    press,
    below: (
      <>
        {takesKey && open && Form && (
          <Form
            id={formId}
            provider={provider}
            accountId={intent.accountId}
            focusOnMount
            onConnected={(outcome) => {
              setOpen(false)
              intent.onConnected?.(outcome)
            }}
            onCancel={() => {
              setOpen(false)
              refocus()
            }}
          />
        )}
        {asking && question && Consent && (
          <Consent
            {...question}
            onContinue={agree}
            onClose={() => setAsking(undefined)}
            onClosed={() => refocus(asking.home)}
          />
        )}
      </>
    ),
  }
}

export type ConnectControlProps = ConnectIntent &
  ControlOptions & {
    provider: Provider
    kind?: 'primary' | 'secondary' | 'quiet'
    /** The visible word and the accessible name. @default those of connecting, or of connecting again */
    words?: { label: string; name: string }
    className?: string
  }

/** The button of a card, and what it opens. */
export function ConnectControl(props: ConnectControlProps) {
  const { provider, kind = 'primary', words, className = 'latchkey-connect', consent, onStart, ...intent } = props
  const messages = useFirstMessages()
  const { status, error } = useConnect(provider.id)
  const control = useConnectControl(provider, intent, { consent, onStart })
  // The way on is in the notice while a window is open; a form stays, and says so itself.
  if (status === 'connecting' && provider.kind !== 'api-key') return null
  if (error?.code === 'not_configured') return null

  const { label, name } = words ?? connectWords(messages, provider.name, intent)
  return (
    <>
      <Button
        className={className}
        data-slot="action"
        kind={control.open ? 'secondary' : kind}
        aria-label={name}
        {...control.props}
      >
        {label}
      </Button>
      {control.below}
    </>
  )
}
