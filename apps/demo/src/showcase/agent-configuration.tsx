import { AddMcpServer, type AddMcpServerProps, ConnectedAccounts, Registrations } from '@latchkey/react'
import { Activity, AgentAccess, StopButton } from '@latchkey/react/agents'
import { useId, useState } from 'react'
import { AGENT_ID, type McpExample } from '../agent.ts'

interface AgentConfigurationProps {
  id: string
  model: string
  vault: string | undefined
  hidden: boolean
  /** MCP servers to try. */
  examples: McpExample[]
  onAddServers: AddMcpServerProps['onAdd']
}

/** The agent, and the connected accounts with a switch each: whether the agent uses it. */
export function AgentConfiguration({ id, model, vault, hidden, examples, onAddServers }: AgentConfigurationProps) {
  return (
    // Hidden, not unmounted: a key that is typed in part stays.
    <section id={id} className="configuration" aria-label="Agent configuration" tabIndex={-1} hidden={hidden}>
      <AgentHead model={model} />
      <ConnectedAccounts
        agent={AGENT_ID}
        description="Connect the services your agent can use. Switch one off to leave it out of the chat."
      />
      <Servers examples={examples} onAdd={onAddServers} />
      <Oversight />
      <details className="developer">
        <summary className="developer-head">
          <h2>Developer</h2>
        </summary>
        <Registrations />
        {vault && (
          <p className="hint">
            {`Tokens and keys are stored encrypted on the server (${vault}). Those of MCP servers are stored in this browser.`}
          </p>
        )}
      </details>
    </section>
  )
}

/** What the agent may do with the accounts, and what it did. */
function Oversight() {
  const [open, setOpen] = useState(false)
  return (
    <details className="developer" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="developer-head">
        <h2>What the assistant may do</h2>
      </summary>
      {open && (
        <div className="oversight">
          <AgentAccess agent={AGENT_ID} />
          <Activity agent={AGENT_ID} />
          <StopButton />
        </div>
      )}
    </details>
  )
}

/** The agent's name and model. */
export function AgentHead({ model }: { model: string }) {
  return (
    <div className="agent">
      <span className="agent-mark" aria-hidden="true">
        A
      </span>
      <div>
        <h2>Assistant</h2>
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
