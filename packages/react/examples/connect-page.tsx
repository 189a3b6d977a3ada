import { readConnectRequest } from '@latchkey/core'
import { ConnectPrompt } from '@latchkey/react'
import { useState } from 'react'

/** The page of a link such as `/connect?provider=github`, for whoever is signed in. */
export function ConnectPage({ search }: { search: string }) {
  const [isDone, setIsDone] = useState(false)
  const provider = new URLSearchParams(search).get('provider')
  const request = readConnectRequest({ type: 'authorization_required', provider })
  if (isDone) return <p>Done. Go back to the chat, and continue there.</p>
  if (!request) return <p>This link is not complete.</p>
  return <ConnectPrompt request={request} onConnected={() => setIsDone(true)} />
}
