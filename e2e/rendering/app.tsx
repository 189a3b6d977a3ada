// What rendering.spec.ts renders on its server and hydrates in a browser: the panel, alone or streamed late.
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { type ReactNode, StrictMode, Suspense } from 'react'

const providers = [github({ clientId: 'id' }), gmail({ clientId: 'id' }), kaggle()]

export interface AppProps {
  /** `streamed`: the panel is sent after the rest of the page, when its data is ready. */
  path: string
  nonce: string
  /** Throws a promise until the panel's data is ready. */
  wait: () => void
}

function Late({ wait, children }: { wait: () => void; children: ReactNode }) {
  wait()
  return children
}

export function App({ path, nonce, wait }: AppProps) {
  const panel = <ConnectedAccounts />
  const app = (
    <LatchkeyProvider providers={providers} broker="/api/latchkey" nonce={nonce}>
      <h1>Settings</h1>
      {path === '/streamed' ? (
        <Suspense fallback={<p>One moment</p>}>
          <Late wait={wait}>{panel}</Late>
        </Suspense>
      ) : (
        <>
          {panel}
          <p id="below">Below the panel</p>
        </>
      )}
    </LatchkeyProvider>
  )
  return path === '/loose' ? app : <StrictMode>{app}</StrictMode>
}
