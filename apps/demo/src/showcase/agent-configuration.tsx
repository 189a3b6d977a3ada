import type { McpProvider } from '@latchkey/core/mcp'
import { AddMcpServer, ConnectedAccounts, Registrations, useAgentAccounts } from '@latchkey/react'
import { useId, useRef } from 'react'
import { AGENT_ID, type McpExample } from '../agent.ts'

interface AgentConfigurationProps {
  id: string
  model: string
  vault: string | undefined
  hidden: boolean
  /** MCP servers to try. */
  examples: McpExample[]
  onAddServers: (servers: McpProvider[]) => void
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
  onAdd: (servers: McpProvider[]) => void
}

/** Adds MCP servers: any by its URL, and those to try with one click. */
function Servers({ examples, onAdd }: ServersProps) {
  const place = useRef<HTMLElement>(null)
  const headingId = useId()
  const { providers } = useAgentAccounts(AGENT_ID)
  const left = examples.filter(({ name }) => providers.every(({ id }) => id !== name))

  /** Enters a server as a person would, so that the same question is asked about it. */
  const enter = ({ name, url, clientId }: McpExample) => {
    const field = place.current?.querySelector('textarea')
    if (!field) return
    field.focus()
    field.select()
    // Not by its value: what was typed comes back with undo.
    const entry = { url, ...(clientId && { auth: { type: 'oauth2', clientId } }) }
    document.execCommand('insertText', false, JSON.stringify({ mcpServers: { [name]: entry } }, null, 2))
    // Once the form knows of it.
    requestAnimationFrame(() => field.form?.requestSubmit())
  }
  return (
    <section ref={place} className="section servers" aria-labelledby={headingId}>
      <h2 id={headingId}>MCP servers</h2>
      <AddMcpServer onAdd={(added) => onAdd(added.providers)} />
      {left.length > 0 && (
        <div className="to-try">
          <p className="hint">Servers to try</p>
          <div className="chips">
            {left.map((example) => (
              <button key={example.name} type="button" className="chip" onClick={() => enter(example)}>
                {example.name}
              </button>
            ))}
          </div>
        </div>
      )}
    </section>
  )
}
