'use client'
import type { ConnectedAccount, DisconnectReceipt } from '@latchkey/core'
import { type RefObject, useState } from 'react'
import { QuestionDialog } from '../dialogs/questions.lazy.tsx'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { useAccounts, useDisconnect, useProviders } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useMessages } from '../use-messages.ts'
import { Menu } from './menu.lazy.tsx'

interface DisconnectAllProps {
  /** The panel's menu is open. */
  open: boolean
  onClose: () => void
  /** The button of the menu. */
  trigger: RefObject<HTMLElement | null>
  /** Called when everything is being disconnected. */
  onLeft: () => void
  /** Called when the menu or the question is gone: moves the focus. */
  onGone: () => void
}

interface Left {
  accounts: readonly ConnectedAccount[]
  /** By account id, once they are known. */
  receipts?: Record<string, DisconnectReceipt> | 'failed'
}

/** The panel's menu: asks once before all accounts are disconnected, then shows a receipt for each. Loaded on intent. */
export function DisconnectAll({ open, onClose, trigger, onLeft, onGone }: DisconnectAllProps) {
  const messages = useMessages()
  const announce = useAnnounce()
  const accounts = useAccounts()
  const { disconnectAll } = useDisconnect()
  const [asking, setAsking] = useState(false)
  const [left, setLeft] = useState<Left>()
  // Receipts go once there is an account again.
  if (left?.receipts && left.receipts !== 'failed' && accounts.length > 0) setLeft(undefined)

  const confirm = () => {
    setAsking(false)
    onLeft()
    setLeft({ accounts })
    disconnectAll().then(
      (receipts) => {
        announce(messages.spoken.disconnectedAll(accounts.length))
        setLeft({ accounts, receipts })
      },
      () => setLeft({ accounts, receipts: 'failed' }),
    )
  }
  return (
    <>
      {open && (
        <Menu
          trigger={trigger}
          label={messages.moreShort}
          choices={[{ label: messages.disconnectAll, ends: true, after: () => setAsking(true) }]}
          onClose={onClose}
          onClosed={onGone}
        />
      )}
      {left && <Farewells left={left} onSeen={() => setLeft(undefined)} />}
      {asking && (
        <QuestionDialog
          title={messages.disconnectAllTitle}
          body={messages.disconnectAllBody(accounts.length)}
          answers={[
            { label: messages.cancelShort, kind: 'secondary', choose: () => setAsking(false) },
            { label: messages.disconnectAll, kind: 'danger', choose: confirm },
          ]}
          onClose={() => setAsking(false)}
          onClosed={onGone}
        />
      )}
    </>
  )
}

/** What came of it, account by account. */
function Farewells({ left, onSeen }: { left: Left; onSeen: () => void }) {
  const messages = useMessages()
  const providers = useProviders()
  const { accounts, receipts } = left
  if (!receipts || receipts === 'failed') {
    const reload = <SmallButton label={messages.reload} onPress={() => location.reload()} />
    return (
      <div className="latchkey-farewells">
        <div>
          <Notice busy={!receipts} tone={receipts ? 'error' : 'quiet'} actions={receipts && reload}>
            {receipts ? messages.loadFailed : messages.revoking}
          </Notice>
        </div>
      </div>
    )
  }
  return (
    <div className="latchkey-farewells">
      <div>
        {accounts.map(({ id, label, provider: providerId }) => {
          const provider = providers.find((one) => one.id === providerId)
          const receipt = receipts[id]
          return provider && receipt && <Receipt key={id} provider={provider} receipt={receipt} account={label} />
        })}
      </div>
      <SmallButton label={messages.dismiss} onPress={onSeen} />
    </div>
  )
}
