'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { useState } from 'react'

/** A person's picture, or their first letter while it cannot be shown. Decorative: the name is beside it. */
export function Face({ account }: { account: ConnectedAccount }) {
  const [broken, setBroken] = useState<string>()
  const { avatar } = account
  if (!avatar || avatar === broken) {
    return <span aria-hidden="true">{(account.name ?? account.label).slice(0, 1).toUpperCase()}</span>
  }
  return <img alt="" src={avatar} referrerPolicy="no-referrer" onError={() => setBroken(avatar)} />
}

/** The same in its frame. */
export function Avatar({ account }: { account: ConnectedAccount }) {
  return (
    <span className="latchkey-avatar" data-slot="avatar">
      <Face account={account} />
    </span>
  )
}
