'use client'
import { cardStatus, defaultAccount, type Provider } from '@latchkey/core'
import { type ComponentType, type KeyboardEvent, useId, useRef } from 'react'
import { ConnectControl } from '../connect/connect-control.tsx'
import { useConnectNotice } from '../connect/connect-notice.tsx'
import { useAgentAccounts, useKit, useProviderAccounts, useProviders, useSnapshot } from '../hooks.ts'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import { Button } from '../ui/button.tsx'
import { useKeptFocus } from '../ui/focus.ts'
import { brandMark } from '../ui/icons.tsx'
import type { PopoverProps } from '../ui/popover.lazy.tsx'
import { useConnect } from '../use-connect.ts'
import { useMessages } from '../use-messages.ts'

interface AccountsListProps {
  id: string
  agent: string
  Popover: ComponentType<PopoverProps>
  /** The button that opened it: what it stands beside, and where the focus goes back to. */
  trigger: HTMLElement
  onManage: (() => void) | undefined
  onClose: () => void
}

/** The list that an accounts menu opens. */
export function AccountsList({ id, agent, Popover, trigger, onManage, onClose }: AccountsListProps) {
  const messages = useMessages()
  const providers = useProviders()
  const { providers: included, setIncluded } = useAgentAccounts(agent)
  const there = useSnapshot((snapshot) =>
    providers
      .filter(({ id: providerId }) => defaultAccount(snapshot, providerId))
      .map((provider) => provider.id)
      .join(' '),
  ).split(' ')
  const titleId = useId()
  const missingId = useId()
  const manages = useRef(false)
  const missing = providers.filter((provider) => !there.includes(provider.id))
  return (
    <Popover
      id={id}
      labelledBy={titleId}
      trigger={trigger}
      onKeyDown={moveByArrow}
      onClose={onClose}
      onClosed={() => manages.current || trigger.focus()}
    >
      <p id={titleId} className="latchkey-name">
        {messages.accountsMenuTitle}
      </p>
      <ul aria-labelledby={titleId}>
        {included.map(({ id: providerId, included: ticked }) => {
          const provider = providers.find((one) => one.id === providerId)
          if (!provider || !there.includes(providerId)) return null
          return (
            <Row
              key={providerId}
              provider={provider}
              included={ticked}
              onIncluded={(next) => setIncluded(providerId, next)}
            />
          )
        })}
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
    </Popover>
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
  const accounts = useProviderAccounts(id)
  const account = useSnapshot((snapshot) => defaultAccount(snapshot, id))
  const status = useSnapshot((snapshot) => cardStatus(snapshot, id))
  const { reason } = useConnect(id)
  useSpokenStatus(name, status, accounts, reason)
  const broken = account?.status === 'needs-reconnect'
  const intent = broken ? { accountId: account.id } : {}
  const { notice, pending } = useConnectNotice({ provider, ...intent })
  useKeptFocus(row, `${status} ${reason}`, pending)
  const words = (
    <>
      <span className="latchkey-button-mark">{brandMark(id, name, icons)}</span>
      <span className="latchkey-accounts-words">
        <span>{name}</span>
        {account && <span className="latchkey-line">{account.label}</span>}
      </span>
    </>
  )
  return (
    <li ref={row} className="latchkey-account-row" data-provider={id} data-status={status}>
      {included === undefined ? (
        <span className="latchkey-account-label">{words}</span>
      ) : (
        <label className="latchkey-account-label">
          <input type="checkbox" checked={included} onChange={(event) => onIncluded?.(event.currentTarget.checked)} />
          {words}
        </label>
      )}
      {account && (
        <span className="latchkey-status" data-status={account.status}>
          {messages.status[account.status]}
        </span>
      )}
      {(!account || broken) && <ConnectControl provider={provider} kind="secondary" {...intent} />}
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
