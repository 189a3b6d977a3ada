'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { useState } from 'react'

interface FaceProps {
  name: string
  /** URL of a picture. */
  src: string | undefined
}

/** A picture, or a name's first letter while it cannot be shown. Decorative: the name is beside it. */
export function Face({ name, src }: FaceProps) {
  const [broken, setBroken] = useState<string>()
  if (!src || src === broken) return <span aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>
  return <img alt="" src={src} referrerPolicy="no-referrer" onError={() => setBroken(src)} />
}

/** A person's picture in its frame. */
export function Avatar({ account }: { account: ConnectedAccount }) {
  return (
    <span className="latchkey-avatar" data-slot="avatar">
      <Face name={account.name ?? account.label} src={account.avatar} />
    </span>
  )
}
