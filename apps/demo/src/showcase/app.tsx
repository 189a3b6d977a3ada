import { useChat } from '@ai-sdk/react'
import { createOversight } from '@latchkey/core/agents'
import { LatchkeyProvider, useLatchkey, useMcpServers } from '@latchkey/react'
import { OversightProvider, useOversight } from '@latchkey/react/agents'
import {
  type ComponentProps,
  type RefObject,
  useEffect,
  useEffectEvent,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import type { Config } from '../agent.ts'
import { createProviders } from '../providers.ts'
import { MESSAGES } from './account-needed.tsx'
import { AgentProvider, useAgent } from './agent-choice.tsx'
import { AgentConfiguration } from './agent-configuration.tsx'
import { AGENTS, ASSISTANT, type DemoAgent } from './agents.ts'
import { approvalsIn } from './approval-needed.tsx'
import { Chat } from './chat.tsx'
import type { Draft } from './composer.tsx'
import { useConfig } from './config.ts'
import { type Conversation, openConversation } from './conversations.ts'
import { tabStorage } from './tab-storage.ts'
import { Waiting } from './waiting.tsx'

const PANEL_ID = 'agent-configuration'
const oversight = createOversight({ broker: '/api/latchkey' })

/** An agent web UI: the chat, and the configuration of the agent beside it. Both are drawn before the server answers. */
export function App({ first }: { first: Promise<Config | undefined> }) {
  const { config, ...waiting } = useConfig(first)
  const toggle = useRef<HTMLButtonElement>(null)
  const panel = usePanel(() => toggle.current?.focus())
  return (
    <div className="app">
      <header className="bar">
        <h1>
          <KeyMark />
          <span>
            Latchkey <span className="extra">demo</span>
          </span>
        </h1>
        <button
          ref={toggle}
          type="button"
          className="button"
          aria-expanded={panel.open}
          aria-controls={PANEL_ID}
          onClick={panel.toggle}
        >
          <PanelMark /> Agent configuration
        </button>
      </header>
      <main data-panel={panel.open ? 'open' : 'closed'}>
        {config ? (
          <Agent config={config} panel={panel} />
        ) : (
          <Waiting panelId={PANEL_ID} panelOpen={panel.open} onClose={panel.close} {...waiting} />
        )}
      </main>
    </div>
  )
}

interface AgentProps {
  config: Config
  panel: ReturnType<typeof usePanel>
}

/** The chat and the panel, with the accounts of the person. */
function Agent({ config, panel }: AgentProps) {
  const providers = useMemo(() => Object.values(createProviders(config.baseUrls)), [config])
  // The MCP servers that were added to this agent.
  const servers = useMcpServers({ key: 'demo:mcp-servers' })
  const draft = useRef<Draft>(null)
  const [agent, setAgent] = useChosenAgent()
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
            person={config.person}
            draft={draft}
            onChooseAgent={setAgent}
            onManage={() => {
              panel.show()
              // Once it is there.
              requestAnimationFrame(() => document.getElementById(PANEL_ID)?.focus())
            }}
          />
          <AgentConfiguration
            id={PANEL_ID}
            model={config.model}
            vault={config.vault}
            hidden={!panel.open}
            examples={config.mcpServers}
            onAddServers={servers.add}
            onChooseAgent={setAgent}
            onClose={panel.close}
          />
        </AgentProvider>
      </OversightProvider>
    </LatchkeyProvider>
  )
}

const CHOSEN = 'demo:agent'

/** The agent that the person talks to, also after a reload of this tab. */
function useChosenAgent() {
  const [agent, setAgent] = useState(() => AGENTS.find(({ id }) => id === tabStorage.read(CHOSEN)) ?? ASSISTANT)
  const choose = (chosen: DemoAgent) => {
    tabStorage.write(CHOSEN, chosen.id)
    setAgent(chosen)
  }
  return [agent, choose] as const
}

type ConversationsProps = Omit<ComponentProps<typeof Chat>, 'conversation' | 'onNew' | 'draft'> & {
  person: string
  draft: RefObject<Draft | null>
}

/** The conversation with the agent that the person talks to. An answer goes on while another agent is talked to. */
function Conversations({ person, draft, onChooseAgent, ...props }: ConversationsProps) {
  const client = useLatchkey()
  const oversight = useOversight()
  const chosen = useAgent()
  const open = (agent: DemoAgent, isNew = false) => openConversation({ client, person, agent }, { isNew })
  const [all, setAll] = useState(() => new Map(AGENTS.map((agent) => [agent.id, open(agent)])))
  const conversation = all.get(chosen.id)
  if (!conversation) return null
  const startNew = () => {
    const { chat } = conversation
    chat.stop()
    // Nobody goes on with what this conversation waits for.
    const waiting = chat.lastMessage ? approvalsIn(chat.lastMessage) : []
    for (const id of waiting) oversight.answer(id, { answer: 'no', reason: 'The chat was closed.' }).catch(() => {})
    setAll(new Map(all).set(chosen.id, open(chosen, true)))
    requestAnimationFrame(() => draft.current?.focus())
  }
  return (
    <>
      {[...all.values()].map((one) => (
        <Keeper key={one.chat.id} conversation={one} />
      ))}
      <Chat
        key={conversation.chat.id}
        {...props}
        conversation={conversation}
        draft={draft}
        onNew={startNew}
        onChooseAgent={(agent) => {
          onChooseAgent(agent)
          // It is another chat, with a choice of its own.
          requestAnimationFrame(() => document.querySelector<HTMLElement>('.chat-head :checked')?.focus())
        }}
      />
    </>
  )
}

/** Keeps a conversation whenever something was said, also while another one is shown. */
function Keeper({ conversation: { chat, keep } }: { conversation: Conversation }) {
  const { messages, status } = useChat({ chat, throttle: 300 })
  // biome-ignore lint/correctness/useExhaustiveDependencies: both are what is kept.
  useEffect(keep, [keep, messages, status])
  return null
}

const wideQuery = window.matchMedia('(width >= 60rem)')
const onWideChange = (listener: () => void) => {
  wideQuery.addEventListener('change', listener)
  return () => wideQuery.removeEventListener('change', listener)
}

/** Shows the panel beside the chat, or in its place where the window is too narrow for both: there Escape closes it. */
function usePanel(onClosed: () => void) {
  const wide = useSyncExternalStore(onWideChange, () => wideQuery.matches)
  const [beside, setBeside] = useState(true)
  const [inPlace, setInPlace] = useState(false)
  const [open, set] = wide ? [beside, setBeside] : [inPlace, setInPlace]
  const close = () => {
    set(false)
    onClosed()
  }
  const onEscape = useEffectEvent(close)
  useEffect(() => {
    if (wide || !inPlace) return
    const onKeyDown = (event: KeyboardEvent) => {
      // A dialog, a menu or a form in it is closed first.
      const isTaken = event.defaultPrevented || (event.target instanceof Element && event.target.closest('form'))
      if (event.key === 'Escape' && !isTaken) onEscape()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [wide, inPlace])
  return { open, toggle: () => set(!open), show: () => set(true), close }
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
