'use client'
import { defaultAccount } from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import { createContext, forwardRef, type KeyboardEvent, useContext } from 'react'
import { useKit, useProviderAccounts, useSnapshot } from '../hooks.ts'
import { useMessages } from '../use-messages.ts'
import { after, type PartProps, SubjectContext, useSubject, useSubjectOf } from './context.tsx'

interface Choice {
  value: string | undefined
  /** The option that Tab reaches: the chosen one, else the first. */
  stop: string | undefined
  choose: (accountId: string) => void
}

const ChoiceContext = /* @__PURE__ */ createContext<Choice | undefined>(undefined)

/** Props of `Account.Switcher`. */
export type SwitcherProps = PartProps<'div'> & {
  /** Account id. @default the provider's default account, which choosing then changes */
  value?: string
  /** Called with the account id that was chosen. With a `value`, this is all that choosing does. */
  onValueChange?: (accountId: string) => void
}

/**
 * A choice among a provider's accounts; put an `Account.Option` into it for each. Renders a `div` with the role
 * `radiogroup`: arrow keys choose, Tab goes on.
 *
 * @see https://www.w3.org/WAI/ARIA/apg/patterns/radio/
 */
export const Switcher = /* @__PURE__ */ forwardRef<HTMLDivElement, SwitcherProps>(function Switcher(
  { asChild, value, onValueChange, onKeyDown, ...props },
  ref,
) {
  const { provider } = useSubject('Switcher')
  const messages = useMessages()
  const { client } = useKit()
  const accounts = useProviderAccounts(provider.id)
  const defaultId = useSnapshot((snapshot) => defaultAccount(snapshot, provider.id)?.id)
  const chosen = value ?? defaultId
  const choose = (accountId: string) => {
    if (accountId === chosen) return
    if (value === undefined) client.setDefault(accountId)
    onValueChange?.(accountId)
  }
  const stop = accounts.some(({ id }) => id === chosen) ? chosen : accounts[0]?.id
  const Node = asChild ? Slot : 'div'
  return (
    <ChoiceContext.Provider value={{ value: chosen, stop, choose }}>
      <Node
        role="radiogroup"
        aria-label={messages.switcher(provider.name)}
        {...props}
        ref={ref}
        onKeyDown={after(onKeyDown, moveChoice)}
      />
    </ChoiceContext.Provider>
  )
})

/** Moves focus and choice together, around the ends. Left and right follow the writing direction, as native radios do. */
function moveChoice(event: KeyboardEvent<HTMLDivElement>) {
  const rtl = getComputedStyle(event.currentTarget).direction === 'rtl'
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }
  const step = steps[event.key]
  if (!step) return
  const options = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=radio]')]
  const here = options.indexOf((event.target as Element).closest<HTMLElement>('[role=radio]') as HTMLElement)
  if (here < 0) return
  event.preventDefault()
  const next = options[(here + step + options.length) % options.length]
  next?.focus()
  next?.click()
}

/** One account of an `Account.Switcher`. Renders a `button` with the role `radio` and `data-state` checked or unchecked. */
export const Option = /* @__PURE__ */ forwardRef<HTMLButtonElement, PartProps<'button'> & { accountId: string }>(
  function Option({ asChild, accountId, children, onClick, ...props }, ref) {
    const { provider } = useSubject('Option')
    const subject = useSubjectOf(provider.id, accountId)
    const choice = useContext(ChoiceContext)
    if (!choice) throw new Error('Latchkey: <Account.Option> must be inside of <Account.Switcher>.')
    const checked = choice.value === accountId
    const Node = asChild ? Slot : 'button'
    return (
      <SubjectContext.Provider value={subject}>
        <Node
          type="button"
          role="radio"
          {...props}
          ref={ref}
          aria-checked={checked}
          tabIndex={choice.stop === accountId ? 0 : -1}
          data-state={checked ? 'checked' : 'unchecked'}
          data-status={subject?.status}
          onClick={after(onClick, () => choice.choose(accountId))}
        >
          {children ?? subject?.account?.label}
        </Node>
      </SubjectContext.Provider>
    )
  },
)
