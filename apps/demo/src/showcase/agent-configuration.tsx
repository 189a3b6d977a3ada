import type { McpProvider } from '@latchkey/core/mcp'
import {
  Account,
  AddMcpServer,
  ConnectedAccounts,
  Registrations,
  useAgentAccounts,
  useIdentities,
  useLatchkey,
} from '@latchkey/react'
import { useId } from 'react'
import { AGENT_ID } from '../agent.ts'

interface AgentConfigurationProps {
  id: string
  model: string
  vault: string | undefined
  hidden: boolean
  /** `mcpServers` JSON to try. */
  mcpExample: string
  onAddServers: (servers: McpProvider[]) => void
}

/** The agent, the connected accounts, and which of them the agent may use. */
export function AgentConfiguration({ id, model, vault, hidden, mcpExample, onAddServers }: AgentConfigurationProps) {
  return (
    // Hidden, not unmounted: a key that is typed in part stays.
    <section id={id} className="configuration" aria-label="Agent configuration" tabIndex={-1} hidden={hidden}>
      <div className="agent">
        <span className="agent-mark" aria-hidden="true">
          A
        </span>
        <div>
          <h2>Assistant</h2>
          <p>Model: {model}</p>
        </div>
      </div>
      <ConnectedAccounts />
      {vault && (
        <p className="hint">
          {`Tokens and keys are kept on the server (${vault}), encrypted; none of them reaches this browser. Only those of MCP servers are kept here, sealed.`}
        </p>
      )}
      <AddMcpServer onAdd={({ providers }) => onAddServers(providers)} />
      <details className="hint">
        <summary>MCP servers to try</summary>
        <pre>{mcpExample}</pre>
      </details>
      <Registrations />
      <AgentAccounts />
    </section>
  )
}

/** A checkbox per provider. An account that is not ticked stays connected, but no request of this agent carries it. */
function AgentAccounts() {
  const client = useLatchkey()
  const { providers, setIncluded } = useAgentAccounts(AGENT_ID)
  const carried = useIdentities({ agent: AGENT_ID }).providers
  const nameOf = (providerId: string) => client.providers.find(({ id }) => id === providerId)?.name ?? providerId
  const headingId = useId()
  const carriedId = useId()
  return (
    <fieldset className="uses" aria-labelledby={headingId} aria-describedby={carriedId}>
      <h2 id={headingId}>This agent uses</h2>
      <ul>
        {providers.map(({ id, included }) => (
          <li key={id}>
            <Account.Root asChild provider={id}>
              <label>
                <input
                  type="checkbox"
                  checked={included}
                  onChange={(event) => setIncluded(id, event.currentTarget.checked)}
                />
                <Account.Icon className="icon" />
                <Account.Name />
              </label>
            </Account.Root>
          </li>
        ))}
      </ul>
      <p id={carriedId} className="hint">
        {carried.length > 0
          ? `The next message carries ${new Intl.ListFormat('en').format(carried.map(nameOf))}.`
          : 'The next message carries no account.'}
      </p>
    </fieldset>
  )
}
