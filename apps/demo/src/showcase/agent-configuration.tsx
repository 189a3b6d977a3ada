import { AddMcpServer, type AddMcpServerProps, ConnectedAccounts, Registrations } from '@latchkey/react'
import { Activity, AgentAccess, RequestsInbox, useRequests } from '@latchkey/react/agents'
import { type ReactNode, useId, useState } from 'react'
import type { McpExample } from '../agent.ts'
import { useAgent } from './agent-choice.tsx'
import type { DemoAgent } from './agents.ts'

interface AgentConfigurationProps {
  id: string
  model: string
  vault: string | undefined
  hidden: boolean
  /** MCP servers to try. */
  examples: McpExample[]
  onAddServers: AddMcpServerProps['onAdd']
}

/** The agent: its accounts, what it may do with them, what waits for the person, and what it did. */
export function AgentConfiguration({ id, model, vault, hidden, examples, onAddServers }: AgentConfigurationProps) {
  const agent = useAgent()
  return (
    // Hidden, not unmounted: a key that is typed in part stays.
    <section id={id} className="configuration" aria-label="Agent configuration" tabIndex={-1} hidden={hidden}>
      <AgentHead agent={agent} model={model} />
      <ConnectedAccounts
        agent={agent.id}
        description="Connect the services your agent can use. Switch one off to leave it out of the chat."
      />
      <section className="section" aria-labelledby={`${id}-access`}>
        <h2 id={`${id}-access`}>What it may do</h2>
        <AgentAccess agent={agent.id} />
      </section>
      <Inbox />
      <Fold title="Activity">
        <Activity headingLevel={3} />
      </Fold>
      <Servers examples={examples} onAdd={onAddServers} />
      <Fold title="Developer">
        <Registrations />
        {vault && (
          <p className="hint">
            {`Tokens and keys are stored encrypted on the server (${vault}). Those of MCP servers are stored in this browser.`}
          </p>
        )}
      </Fold>
    </section>
  )
}

/** What waits for the person's answer, from all agents and all chats. */
function Inbox() {
  const { length } = useRequests()
  return (
    <Fold title="Waiting for you" count={length}>
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

/** The agent's name, what it is for, and its model. */
export function AgentHead({ agent, model }: { agent: DemoAgent; model: string }) {
  return (
    <div className="agent">
      <span className="agent-mark" aria-hidden="true">
        {agent.name.charAt(0)}
      </span>
      <div>
        <h2>{agent.name}</h2>
        <p>{agent.about}</p>
        <p>Model: {model}</p>
      </div>
    </div>
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
