'use client'
import type { Account } from '@latchkey/core'
import { useState } from 'react'

/** A person's picture, or their first letter while it cannot be shown. Decorative: the name is beside it. */
export function Avatar({ account }: { account: Account }) {
  const [broken, setBroken] = useState<string>()
  const { avatar } = account
  return (
    <span className="latchkey-avatar">
      {avatar && avatar !== broken ? (
        <img alt="" src={avatar} referrerPolicy="no-referrer" onError={() => setBroken(avatar)} />
      ) : (
        <span aria-hidden="true">{(account.name ?? account.label).slice(0, 1).toUpperCase()}</span>
      )}
    </span>
  )
}
