import { createOversight } from '@latchkey/core/agents'
import { LatchkeyProvider, useLatchkey, useMcpServers } from '@latchkey/react'
import { OversightProvider } from '@latchkey/react/agents'
import { type ComponentProps, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import type { Config } from '../agent.ts'
import { createProviders } from '../providers.ts'
import { MESSAGES } from './account-needed.tsx'
import { AgentProvider, useAgent } from './agent-choice.tsx'
import { AgentConfiguration } from './agent-configuration.tsx'
import { ASSISTANT } from './agents.ts'
import { Chat } from './chat.tsx'
import type { Draft } from './composer.tsx'
import { useConfig } from './config.ts'
import { createConversations } from './conversations.ts'
import { Waiting } from './waiting.tsx'

const PANEL_ID = 'agent-configuration'
const oversight = createOversight({ broker: '/api/latchkey' })

/** An agent web UI: the chat, and the configuration of the agent beside it. Both are drawn before the server answers. */
export function App({ first }: { first: Promise<Config | undefined> }) {
  const { config, ...waiting } = useConfig(first)
  const [open, toggle, show] = usePanel()
  return (
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
        {config ? (
          <Agent config={config} panelOpen={open} onShowPanel={show} />
        ) : (
          <Waiting panelId={PANEL_ID} panelOpen={open} {...waiting} />
        )}
      </main>
    </div>
  )
}

interface AgentProps {
  config: Config
  panelOpen: boolean
  onShowPanel: () => void
}

/** The chat and the panel, with the accounts of the person. */
function Agent({ config, panelOpen, onShowPanel }: AgentProps) {
  const providers = useMemo(() => Object.values(createProviders(config.baseUrls)), [config])
  // The MCP servers that were added to this agent.
  const servers = useMcpServers({ key: 'demo:mcp-servers' })
  const draft = useRef<Draft>(null)
  const [agent, setAgent] = useState(ASSISTANT)
  return (
    // Latchkey needs the broker's URL and the providers. `keep` and `onReturn` restore a message that was not sent yet,
    // when signing in leaves the page.
    <LatchkeyProvider
      broker="/api/latchkey"
      // A server that was added before may have a name that is the app's own now.
      providers={[...providers, ...servers.providers.filter(({ id }) => providers.every((one) => one.id !== id))]}
      custody={config.vault ? 'vault' : undefined}
      app={{ client_name: 'Latchkey demo', clientMetadataUrl: config.clientMetadataUrl }}
      messages={MESSAGES}
      onRemoveServer={servers.remove}
      keep={() => draft.current?.text || undefined}
      onReturn={(kept) => typeof kept === 'string' && draft.current?.restore(kept)}
    >
      <OversightProvider oversight={oversight}>
        <AgentProvider value={agent}>
          <Conversations
            draft={draft}
            onChooseAgent={setAgent}
            onManage={() => {
              onShowPanel()
              // Once it is there.
              requestAnimationFrame(() => document.getElementById(PANEL_ID)?.focus())
            }}
          />
          <AgentConfiguration
            id={PANEL_ID}
            model={config.model}
            vault={config.vault}
            hidden={!panelOpen}
            examples={config.mcpServers}
            onAddServers={servers.add}
          />
        </AgentProvider>
      </OversightProvider>
    </LatchkeyProvider>
  )
}

/** The conversation with the agent that the person talks to. */
function Conversations(props: Omit<ComponentProps<typeof Chat>, 'chat'>) {
  const client = useLatchkey()
  const [chats] = useState(() => createConversations(client))
  const { id } = useAgent()
  const chat = chats.get(id)
  return chat && <Chat key={id} chat={chat} {...props} />
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
