'use client'
import type { DisconnectReceipt, Provider } from '@latchkey/core'
import { useEffect, useState } from 'react'
import { SmallButton } from '../ui/button.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useMessages } from '../use-messages.ts'

interface ReceiptProps {
  provider: Provider
  receipt: DisconnectReceipt
  /** The account's name, when the provider has or had several. */
  account: string | undefined
  onDismiss?: () => void
}

/** Says whether an account's access was revoked at its provider, or only removed here. */
export function Receipt({ provider, receipt: given, account, onDismiss }: ReceiptProps) {
  const messages = useMessages()
  const { name } = provider
  const receipt = useSettled(given, messages.revoked(name, account))
  const dismiss = onDismiss && <SmallButton label={messages.dismiss} onPress={onDismiss} />
  if (receipt.status === 'revoked') {
    return (
      <Notice tone="success" actions={dismiss}>
        {messages.revoked(name, account)}
      </Notice>
    )
  }
  const manageUrl = receipt.manageUrl ?? provider.manageUrl
  const { error } = receipt
  const sentence =
    receipt.status === 'pending'
      ? messages.removedPending(name, account)
      : error
        ? messages.removedUntold(
            name,
            error.code === 'network' ? messages.untoldNetwork : messages.untoldOther,
            account,
          )
        : (provider.kind === 'api-key' ? messages.removedKey : messages.removed)(name, account)
  return (
    <Notice tone="warning" actions={dismiss}>
      {sentence}{' '}
      {manageUrl && (
        <a className="latchkey-link" href={manageUrl} target="_blank" rel="noopener noreferrer">
          {messages.manage(name)}
        </a>
      )}
    </Notice>
  )
}

/** The receipt as it is now: a pending revocation may have been made since. `revoked` is said then to people who listen. */
function useSettled(receipt: DisconnectReceipt, revoked: string): DisconnectReceipt {
  const announce = useAnnounce()
  const [ended, setEnded] = useState<DisconnectReceipt>()
  useEffect(() => {
    if (receipt.status !== 'pending') return
    const { manageUrl, settled } = receipt
    settled?.then((status) => {
      setEnded(status === 'revoked' ? { status, tokens: [] } : { status, manageUrl })
      if (status === 'revoked') announce(revoked)
    })
  }, [receipt, revoked, announce])
  return ended ?? receipt
}
