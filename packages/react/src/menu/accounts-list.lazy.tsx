'use client'
import { defaultAccount, type Provider } from '@latchkey/core'
import { labelsPerson } from '@latchkey/core/internal'
import { Anchor, Content, Portal, Root } from '@radix-ui/react-popover'
import { Fragment, type KeyboardEvent, type ReactNode, useId, useRef } from 'react'
import { ConnectControl } from '../connect/connect-control.tsx'
import { useConnectPlace } from '../connect/connect-notice.tsx'
import {
  type UseAgentAccounts,
  useAccounts,
  useAgentAccounts,
  useKit,
  useProviderAccounts,
  useProviders,
  useSnapshot,
} from '../hooks.ts'
import { useMayHave } from '../parts/agent-limit.ts'
import { Layer } from '../parts/layer.tsx'
import { StatusWord } from '../parts/status-word.tsx'
import { Button } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { isFocusLost } from '../ui/kept-focus.lazy.ts'
import { useMessages } from '../use-messages.ts'

interface AccountsListProps {
  id: string
  agent: string
  /** The button that opened it: what it stands beside, and where the focus goes back to. */
  trigger: HTMLElement
  onManage: (() => void) | undefined
  onClose: () => void
}

/** The list that an accounts menu opens. Loaded on intent. */
export function AccountsList({ id, agent, trigger, onManage, onClose }: AccountsListProps) {
  const messages = useMessages()
  const mayHave = useMayHave(agent)
  const providers = useProviders().filter(({ id }) => mayHave(id))
  const agentAccounts = useAgentAccounts(agent)
  const included = agentAccounts.providers.filter((one) => one.included).map((one) => one.id)
  const accounts = useAccounts()
  const isThere = ({ id: providerId }: Provider) => accounts.some(({ provider }) => provider === providerId)
  const titleId = useId()
  const missingId = useId()
  const manages = useRef(false)
  const missing = providers.filter((provider) => !isThere(provider))
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Anchor virtualRef={{ current: trigger }} />
      <Layer Portal={Portal}>
        <Content
          id={id}
          className="latchkey-accounts-list"
          aria-labelledby={titleId}
          align="end"
          sideOffset={6}
          collisionPadding={8}
          onKeyDown={moveByArrow}
          onInteractOutside={(event) => {
            // A click on the button closes it by itself; a dialog of a connect is still a part of this.
            const target = event.target as Element
            if (trigger.contains(target) || target.closest?.('.latchkey-layer')) event.preventDefault()
          }}
          onEscapeKeyDown={(event) => {
            // A form that is open in here is what is closed first.
            if ((event.target as Element).closest?.('.latchkey-key-form')) event.preventDefault()
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (!manages.current && isFocusLost()) trigger.focus()
          }}
        >
          <p id={titleId} className="latchkey-name">
            {messages.accountsMenuTitle}
          </p>
          <ul aria-labelledby={titleId}>
            {providers.filter(isThere).map((provider) => (
              <Fragment key={provider.id}>
                <Row
                  provider={provider}
                  included={included.includes(provider.id)}
                  onIncluded={(next) => agentAccounts.setIncluded(provider.id, next)}
                />
                {included.includes(provider.id) && <Choices {...agentAccounts} provider={provider} />}
              </Fragment>
            ))}
          </ul>
          {missing.length > 0 && (
            <>
              <p id={missingId} className="latchkey-line">
                {messages.accountsMenuAvailable}
              </p>
              <ul aria-labelledby={missingId}>
                {missing.map((provider) => (
                  <Row key={provider.id} provider={provider} />
                ))}
              </ul>
            </>
          )}
          {onManage && (
            <Button
              kind="quiet"
              onClick={() => {
                // The app that opens the panel moves the focus.
                manages.current = true
                onClose()
                onManage()
              }}
            >
              {messages.accountsMenuManage}
            </Button>
          )}
        </Content>
      </Layer>
    </Root>
  )
}

interface ChoicesProps extends Pick<UseAgentAccounts, 'accounts' | 'setIncluded'> {
  provider: Provider
}

/** Where a provider has several accounts: which of them the agent may be told to use. */
function Choices({ provider, accounts, setIncluded }: ChoicesProps) {
  const own = useProviderAccounts(provider.id)
  if (own.length < 2) return null
  return own.map(({ id, label, status }) => (
    <li key={id} className="latchkey-account-row latchkey-account-choice" data-account={id}>
      <IncludeSwitch
        included={accounts.some((one) => one.included && one.id === id)}
        onIncluded={(next) => setIncluded({ accountId: id }, next)}
      >
        <span className="latchkey-accounts-words">
          <span>
            {label} <span className="latchkey-unseen">{provider.name}</span>
          </span>
        </span>
      </IncludeSwitch>
      <StatusWord status={status} />
    </li>
  ))
}

interface IncludeSwitchProps {
  included: boolean
  onIncluded: (included: boolean) => void
  children: ReactNode
}

function IncludeSwitch({ included, onIncluded, children }: IncludeSwitchProps) {
  return (
    <label className="latchkey-account-label">
      <input
        type="checkbox"
        // biome-ignore lint/a11y/useAriaPropsForRole: A checkbox says by itself whether it is checked.
        role="switch"
        className="latchkey-switch"
        checked={included}
        onChange={(event) => onIncluded(event.currentTarget.checked)}
      />
      {children}
    </label>
  )
}

interface RowProps {
  provider: Provider
  /** Absent: nothing is connected that could be left out. */
  included?: boolean
  onIncluded?: (included: boolean) => void
}

function Row({ provider, included, onIncluded }: RowProps) {
  const messages = useMessages()
  const { icons } = useKit()
  const { id, name } = provider
  const row = useRef<HTMLLIElement>(null)
  const account = useSnapshot((snapshot) => defaultAccount(snapshot, id))
  const broken = account?.status === 'needs-reconnect'
  const intent = broken ? { accountId: account.id } : {}
  const { status, notice, keptFocus } = useConnectPlace(row, { provider, ...intent })
  const words = (
    <>
      <span className="latchkey-button-mark">{brandMark(provider, icons)}</span>
      <span className="latchkey-accounts-words">
        <span>{name}</span>
        {account && (
          <span className="latchkey-line">{labelsPerson(provider, account) ? account.label : messages.signedIn}</span>
        )}
      </span>
    </>
  )
  return (
    <li ref={row} className="latchkey-account-row" data-provider={id} data-status={status}>
      {included === undefined || !onIncluded ? (
        <span className="latchkey-account-label">{words}</span>
      ) : (
        <IncludeSwitch included={included} onIncluded={onIncluded}>
          {words}
        </IncludeSwitch>
      )}
      {account && <StatusWord status={account.status} />}
      {(!account || broken) && <ConnectControl provider={provider} kind="secondary" {...intent} />}
      {keptFocus}
      {notice}
    </li>
  )
}

/** Arrow keys go from one thing to the next, as in a menu, and Home and End to the ends. */
function moveByArrow(event: KeyboardEvent<HTMLElement>) {
  const target = event.target as HTMLElement
  if (target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== 'checkbox'))
    return
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>('input, button, a[href]')]
  const at = stops.indexOf(target)
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key]
  if (next === undefined) return
  event.preventDefault()
  stops.at(next % stops.length)?.focus()
}
