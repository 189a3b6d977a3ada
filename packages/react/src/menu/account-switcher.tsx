'use client'
import { forwardRef } from 'react'
import { ConnectButton } from '../connect/connect-button.tsx'
import { useProviderAccounts } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { About, useSubject } from '../parts/context.tsx'
import { Option, Switcher, type SwitcherProps } from '../parts/switcher.tsx'
import { useMessages } from '../use-messages.ts'

/** Props of {@link AccountSwitcher}. */
export type AccountSwitcherProps = Omit<SwitcherProps, 'asChild' | 'children'> & {
  /** Provider id. */
  provider: string
}

/**
 * Which of a provider's accounts is used: its default account or, with `value`, what the app makes of it. Arrow keys
 * choose. An account that cannot be used says so, and can be chosen all the same: it is used once it works again.
 * Renders a `div` with the role `radiogroup`; a `ConnectButton` while there is no account.
 */
export const AccountSwitcher = /* @__PURE__ */ forwardRef<HTMLDivElement, AccountSwitcherProps>(
  function AccountSwitcher({ provider, ...props }, ref) {
    return (
      <About provider={provider}>
        <Choices {...props} ref={ref} />
      </About>
    )
  },
)

const Choices = /* @__PURE__ */ forwardRef<HTMLDivElement, Omit<AccountSwitcherProps, 'provider'>>(function Choices(
  { className, ...props },
  ref,
) {
  const { provider } = useSubject('Switcher')
  const messages = useMessages()
  const accounts = useProviderAccounts(provider.id)
  if (accounts.length === 0) return <ConnectButton provider={provider.id} />
  return (
    <Switcher {...props} ref={ref} className={['latchkey latchkey-switcher', className].filter(Boolean).join(' ')}>
      {accounts.map((account) => (
        <Option key={account.id} accountId={account.id} className="latchkey-option">
          <Account.Avatar className="latchkey-avatar" />
          <span className="latchkey-identity">
            <strong>{account.name ?? account.label}</strong>
            {account.name && account.name !== account.label && <span className="latchkey-line">{account.label}</span>}
            {account.status !== 'connected' && <Account.Status className="latchkey-status" />}
            {provider.kind === 'api-key' && <span className="latchkey-tag">{messages.apiKeyBadge}</span>}
          </span>
        </Option>
      ))}
    </Switcher>
  )
})
