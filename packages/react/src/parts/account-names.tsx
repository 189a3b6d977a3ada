'use client'
import type { ConnectedAccount } from '@latchkey/core'

/** Who an account is of: the person's name, and what else the account is called. */
export function AccountNames({ account }: { account: ConnectedAccount }) {
  const { name, username, email, label } = account
  const fullName = name ?? label
  const handle = [username, email, label].find((word) => word && word !== fullName)
  return (
    <>
      <strong>{fullName}</strong>
      {handle && <span className="latchkey-line">{handle}</span>}
    </>
  )
}
