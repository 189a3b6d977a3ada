import type { Provider } from '@latchkey/core'
import { LatchkeyProvider } from '@latchkey/react'
import { useRef, useState, useSyncExternalStore } from 'react'
import type { Config } from '../agent.ts'
import { AgentConfiguration } from './agent-configuration.tsx'
import { Chat } from './chat.tsx'
import type { Draft } from './composer.tsx'
import { loadServers, saveServers } from './servers.ts'

const PANEL_ID = 'agent-configuration'

/** An agent web UI: the chat, and the configuration of the agent beside it. */
export function App({ providers, config }: { providers: Provider[]; config: Config }) {
  const [open, toggle, show] = usePanel()
  const [servers, setServers] = useState(loadServers)
  const draft = useRef<Draft>(null)
  return (
    // Latchkey needs the broker's URL and the providers. `keep` and `onReturn` restore a message that was not sent yet,
    // when signing in leaves the page.
    <LatchkeyProvider
      broker="/api/latchkey"
      // A server that was added before may have a name that is the app's own now.
      providers={[...providers, ...servers.filter(({ id }) => providers.every((one) => one.id !== id))]}
      custody={config.vault ? 'vault' : undefined}
      app={{ client_name: 'Latchkey demo', clientMetadataUrl: config.clientMetadataUrl }}
      keep={() => draft.current?.text || undefined}
      onReturn={(kept) => typeof kept === 'string' && draft.current?.restore(kept)}
    >
      <div className="app">
        <header className="bar">
          <h1>
            <KeyMark />
            <span>
              Latchkey <span className="extra">demo</span>
            </span>
          </h1>
          <button type="button" className="button" aria-expanded={open} aria-controls={PANEL_ID} onClick={toggle}>
            <PanelMark /> Agent configuration
          </button>
        </header>
        <main data-panel={open ? 'open' : 'closed'}>
          <Chat
            draft={draft}
            onManage={() => {
              show()
              // Once it is there.
              requestAnimationFrame(() => document.getElementById(PANEL_ID)?.focus())
            }}
          />
          <AgentConfiguration
            id={PANEL_ID}
            model={config.model}
            vault={config.vault}
            hidden={!open}
            mcpExample={config.mcpExample}
            onAddServers={(added) => setServers(saveServers(added))}
          />
        </main>
      </div>
    </LatchkeyProvider>
  )
}

const wideQuery = window.matchMedia('(width >= 60rem)')
const onWideChange = (listener: () => void) => {
  wideQuery.addEventListener('change', listener)
  return () => wideQuery.removeEventListener('change', listener)
}

/** Shows the panel beside the chat, or in its place where the window is too narrow for both. */
function usePanel() {
  const wide = useSyncExternalStore(onWideChange, () => wideQuery.matches)
  const [beside, setBeside] = useState(true)
  const [inPlace, setInPlace] = useState(false)
  return wide
    ? ([beside, () => setBeside(!beside), () => setBeside(true)] as const)
    : ([inPlace, () => setInPlace(!inPlace), () => setInPlace(true)] as const)
}

function KeyMark() {
  return (
    <svg className="brand" viewBox="0 0 24 24" aria-hidden="true">
      <rect width="24" height="24" rx="6" fill="var(--latchkey-accent)" stroke="none" />
      <g stroke="var(--latchkey-on-accent)">
        <circle cx="8.5" cy="12" r="3" />
        <path d="M11.5 12H19v2.5M15.5 12v2" />
      </g>
    </svg>
  )
}

function PanelMark() {
  return (
    <svg className="line-icon" viewBox="0 0 24 24" aria-hidden="true">
      <rect x="3.5" y="4.5" width="17" height="15" rx="3" />
      <path d="M14.5 4.5v15" />
    </svg>
  )
}
