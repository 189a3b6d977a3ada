'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { type ReactNode, type RefObject, useRef, useState } from 'react'
import { ConnectControl } from '../connect/connect-control.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { isUsable, useKit } from '../hooks.ts'
import { later } from '../later.tsx'
import { StatusWord } from '../parts/status-word.tsx'
import { Tag } from '../parts/tag.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Button, MoreButton, SmallButton } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { brandMark } from '../ui/icons.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import type { Opened } from './menu.lazy.tsx'

const useExtras = /* @__PURE__ */ later(() => import('./account-extras.lazy.tsx'), 'AccountExtras')
const useLine = /* @__PURE__ */ later(() => import('./account-line.lazy.tsx'), 'AccountLine', true)

export interface AccountRowProps {
  provider: Provider
  account: ConnectedAccount
  /** The provider's other accounts. With any, the row is one of several, and its actions name the account. */
  others: readonly ConnectedAccount[]
  isDefault: boolean
  /** The provider's name as the card's heading, for the row of an only account. */
  heading: (name: ReactNode) => ReactNode
  /** What a connect under way has in place of line and action. */
  busy: ReactNode
  /** Whether an agent uses it. */
  use: ReactNode
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onLeave: (account: ConnectedAccount) => void
  /** Adds another account; `target` is where the focus goes back to. */
  onAdd: (target: HTMLElement) => void
}

/** One account: who it is, how it is, the one thing to do about it, and a menu with the rest. */
export function AccountRow(props: AccountRowProps) {
  const { provider, account, others, isDefault, heading, busy, use, card, onStart, onLeave, onAdd } = props
  const { name } = provider
  const messages = useFirstMessages()
  const { client, icons } = useKit()
  const [open, setOpen] = useState<Opened>()
  const [shown, setShown] = useState(false)
  const [Extras, load] = useExtras()
  const [Line] = useLine(true)
  const opener = useRef<HTMLButtonElement>(null)
  const trigger = useRef<HTMLButtonElement>(null)
  const several = others.length > 0
  const label = several ? account.label : undefined
  const subject = { provider, account, status: account.status, reason: account.reason }
  const isServer = provider.kind === 'mcp'
  const kind = isServer ? 'MCP' : provider.kind === 'api-key' && messages.apiKeyBadge
  const tag = several ? isDefault && messages.isDefault : kind
  const missing = isUsable(account) ? account.missingScopes : []

  const toggleMenu = () => {
    load()
    setOpen(open === 'menu' ? undefined : 'menu')
  }
  const opens = (
    <button
      ref={opener}
      type="button"
      className="latchkey-opener"
      aria-expanded={shown}
      onClick={() => {
        load()
        setShown(!shown)
      }}
    >
      {several ? account.label : name}
    </button>
  )
  const control = { provider, accountId: account.id, accountLabel: label, onStart }
  return (
    <>
      <div
        className="latchkey-row"
        data-slot={several ? 'account' : 'row'}
        data-status={account.status}
        data-account={account.id}
      >
        {several ? (
          <Avatar account={account} />
        ) : (
          <span className="latchkey-mark" data-slot="mark">
            {brandMark(provider, icons)}
          </span>
        )}
        <div className="latchkey-title" data-slot="name">
          {several ? <strong className="latchkey-name">{opens}</strong> : heading(opens)}
          {tag && <Tag>{tag}</Tag>}
        </div>
        {busy || (
          <>
            <p className="latchkey-line" data-slot="line">
              {Line ? (
                <Line provider={provider} account={account} several={several} />
              ) : (
                <StatusWord
                  status={account.status}
                  word={
                    account.status === 'connected' && !several && !isServer
                      ? messages.connectedAs(account.label)
                      : undefined
                  }
                />
              )}
            </p>
            {account.status === 'paused' ? (
              <Button
                className="latchkey-connect"
                data-slot="action"
                aria-label={messages.resume(name, label)}
                onClick={() => client.unpause(account.id).catch(() => {})}
              >
                {messages.resumeShort}
              </Button>
            ) : missing.length > 0 ? (
              <ConnectControl
                {...control}
                kind="secondary"
                words={{ label: messages.grantShort, name: messages.grant(name, label) }}
                // A token is replaced by the next one, so what was granted before is asked for again along with the new.
                scopes={[...new Set([...account.scopes, ...missing])]}
              />
            ) : (
              account.status !== 'connected' && <ConnectControl {...control} />
            )}
          </>
        )}
        {!busy && use}
        {!busy && (
          <MoreButton
            ref={trigger}
            aria-label={messages.more(name, label)}
            aria-haspopup="menu"
            aria-expanded={open === 'menu'}
            onIntent={load}
            onClick={toggleMenu}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowDown') return
              event.preventDefault()
              toggleMenu()
            }}
          />
        )}
      </div>
      {(open || shown) && Extras && (
        <Extras
          Connect={ConnectControl}
          subject={subject}
          others={others}
          isDefault={isDefault}
          open={open}
          onOpen={setOpen}
          shown={shown}
          onShow={setShown}
          trigger={trigger}
          opener={opener}
          onStart={onStart}
          onLeave={() => onLeave(account)}
          onAdd={onAdd}
          card={card}
          onGone={() => (trigger.current ?? firstStop(card.current))?.focus()}
          instead={
            <details>
              <summary className="latchkey-button" data-kind="secondary" data-size="small">
                {messages.disconnect(name, account.label)}
              </summary>
              <SmallButton
                kind="danger"
                label={messages.disconnectShort}
                name={messages.disconnect(name, label)}
                onPress={() => onLeave(account)}
              />
            </details>
          }
        />
      )}
    </>
  )
}
