import { useDisconnect } from '@latchkey/react'
import { useState } from 'react'

/** The receipt says whether access was revoked at the provider too. */
export function Disconnect({ accountId }: { accountId: string }) {
  const { disconnect } = useDisconnect()
  const [done, setDone] = useState('')
  const remove = async () => {
    const receipt = await disconnect(accountId)
    setDone(receipt.status === 'revoked' ? 'Access revoked.' : 'Removed from this app only.')
  }
  return (
    <>
      <button type="button" onClick={remove}>
        Disconnect
      </button>
      <p role="status">{done}</p>
    </>
  )
}
