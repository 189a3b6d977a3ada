import { sessionStorageStore } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { useState } from 'react'

export function Settings({ userId }: { userId: string }) {
  const [draft, setDraft] = useState('')
  return (
    <LatchkeyProvider
      key={userId}
      broker="/api/latchkey"
      providers={[github()]}
      prefix={`latchkey-${userId}`} // separates the people of the app who share a browser
      storage={sessionStorageStore()}
      messages={{ connect: (name) => `Link ${name}` }}
      icons={{ github: <img src="/github.svg" alt="" /> }}
      keep={() => draft} // restored when a connect leaves the page
      onReturn={(kept) => setDraft(String(kept))}
    >
      <textarea aria-label="Message" value={draft} onChange={(event) => setDraft(event.target.value)} />
      <ConnectedAccounts title="Your accounts" description={null} />
    </LatchkeyProvider>
  )
}
