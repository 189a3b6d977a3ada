import { AddMcpServer, type AddMcpServerProps, ConnectedAccounts, Registrations, useLatchkey } from '@latchkey/react'
import { Activity, AgentAccess, RequestsInbox, useRequests } from '@latchkey/react/agents'
import { type ReactNode, useId, useState } from 'react'
import type { McpExample } from '../agent.ts'
import { useAgent } from './agent-choice.tsx'
import { AgentList } from './agent-list.tsx'
import type { DemoAgent } from './agents.ts'

interface AgentConfigurationProps {
  id: string
  model: string
  vault: string | undefined
  hidden: boolean
  /** MCP servers to try. */
  examples: McpExample[]
  onAddServers: AddMcpServerProps['onAdd']
  onChooseAgent: (agent: DemoAgent) => void
  onClose: () => void
}

/** The agents: their accounts, what they may do with them, what waits for the person, and what they did. */
export function AgentConfiguration({ id, hidden, model, onChooseAgent, onClose, ...props }: AgentConfigurationProps) {
  const { name, id: agent, providers: only } = useAgent()
  const { providers } = useLatchkey()
  return (
    // Hidden, not unmounted: a key that is typed in part stays.
    <section id={id} className="configuration" aria-label="Agent configuration" tabIndex={-1} hidden={hidden}>
      <BackToChat onClick={onClose} />
      <AgentList model={model} onChoose={onChooseAgent} />
      <ConnectedAccounts
        agent={agent}
        description={
          only
            ? `${name} may use ${providers.flatMap(({ id, name }) => (only.includes(id) ? name : [])).join(', ')} only, whatever else is connected.`
            : 'Connect the services that your agents can use.'
        }
      />
      <section className="section" aria-labelledby={`${id}-access`}>
        <h2 id={`${id}-access`}>What it may do</h2>
        <Steps name={name} />
        <AgentAccess agent={agent} />
      </section>
      <Inbox />
      <Fold title="Activity">
        <Activity headingLevel={3} />
      </Fold>
      <Servers examples={props.examples} onAdd={props.onAddServers} />
      <Fold title="Developer">
        <Registrations />
        {props.vault && (
          <p className="hint">
            {`Tokens and keys are stored encrypted on the server (${props.vault}). Those of MCP servers are stored in this browser.`}
          </p>
        )}
      </Fold>
    </section>
  )
}

/** What there is to hold an agent back, from the smallest step to the largest. */
function Steps({ name }: { name: string }) {
  return (
    <ul className="hint steps">
      <li>
        <b>The switch</b> of an account, above, leaves it out of what you ask {name} here.
      </li>
      <li>
        <b>Edit</b>, below, says how far {name} may go with an account, wherever it works. <b>Off</b> there is: not at
        all.
      </li>
      <li>
        <b>Pause</b>, in the account's menu, leaves it out for every agent. <b>Disconnect</b>, there too, takes it out
        of this app.
      </li>
      <li>
        <b>Stop</b> ends all that {name} does, at once.
      </li>
    </ul>
  )
}

/** Where the panel is in the chat's place, the way back. */
export function BackToChat({ onClick }: { onClick: () => void }) {
  return (
    <button type="button" className="button back" onClick={onClick}>
      <svg className="line-icon" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M14.5 6 8.5 12l6 6" />
      </svg>
      Back to chat
    </button>
  )
}

/** What waits for the person's answer, from all agents and all chats. */
function Inbox() {
  const { length } = useRequests()
  return (
    <Fold title="Waiting for you" count={length}>
      <p className="hint">After your answer the chat that asked goes on, if it is still open.</p>
      <RequestsInbox headingLevel={3} />
    </Fold>
  )
}

interface FoldProps {
  title: string
  count?: number
  children: ReactNode
}

/** A section that is open when its person wants it. What is in it is not asked for before. */
function Fold({ title, count = 0, children }: FoldProps) {
  const [open, setOpen] = useState(false)
  return (
    <details className="fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="fold-head">
        <h2>{title}</h2>
        {count > 0 && <span className="count">{count}</span>}
      </summary>
      {open && children}
    </details>
  )
}

interface ServersProps {
  examples: McpExample[]
  onAdd: AddMcpServerProps['onAdd']
}

/** Adds MCP servers: any by its URL, and those to try with one click. Their cards are among the accounts. */
function Servers({ examples, onAdd }: ServersProps) {
  const headingId = useId()
  return (
    <section className="section" aria-labelledby={headingId}>
      <h2 id={headingId}>MCP servers</h2>
      <AddMcpServer examples={examples} onAdd={onAdd} />
    </section>
  )
}
