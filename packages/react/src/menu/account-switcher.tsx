'use client'
import { forwardRef } from 'react'
import { ConnectButton } from '../connect/connect-button.tsx'
import { useProvider, useProviderAccounts } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { About } from '../parts/context.tsx'
import { Option, Switcher, type SwitcherProps } from '../parts/switcher.tsx'
import { classes } from '../ui/button.tsx'
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
  function AccountSwitcher({ provider: providerId, className, ...props }, ref) {
    const messages = useMessages()
    const provider = useProvider(providerId)
    const accounts = useProviderAccounts(providerId)
    if (accounts.length === 0) return <ConnectButton provider={providerId} />
    return (
      <About provider={providerId}>
        <Switcher {...props} ref={ref} className={classes('latchkey latchkey-switcher', className)}>
          {accounts.map((account) => (
            <Option key={account.id} accountId={account.id} className="latchkey-option">
              <Account.Avatar className="latchkey-avatar" />
              <span className="latchkey-identity">
                <strong>{account.name ?? account.label}</strong>
                {account.name && account.name !== account.label && (
                  <span className="latchkey-line">{account.label}</span>
                )}
                {account.status !== 'connected' && <Account.Status className="latchkey-status" />}
                {provider?.kind === 'api-key' && <span className="latchkey-tag">{messages.apiKeyBadge}</span>}
              </span>
            </Option>
          ))}
        </Switcher>
      </About>
    )
  },
)
