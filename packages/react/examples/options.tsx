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
      prefix={`latchkey-${userId}`} // one person of the app per prefix, when several share a browser
      storage={sessionStorageStore()}
      messages={{ connect: (name) => `Link ${name}` }}
      icons={{ github: <img src="/github.svg" alt="" /> }}
      keep={() => draft} // what must not be lost when a connect has to leave the page
      onReturn={(kept) => setDraft(String(kept))}
    >
      <textarea aria-label="Message" value={draft} onChange={(event) => setDraft(event.target.value)} />
      <ConnectedAccounts title="Your accounts" description={null} />
    </LatchkeyProvider>
  )
}
