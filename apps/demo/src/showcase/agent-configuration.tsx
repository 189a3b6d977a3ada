import {
  Account,
  AddMcpServer,
  type AddMcpServerProps,
  ConnectedAccounts,
  Registrations,
  useAccounts,
  useAgentAccounts,
  useIdentities,
  useLatchkey,
} from '@latchkey/react'
import { useId } from 'react'
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

/** The agent, the connected accounts, and which of them the agent may use. */
export function AgentConfiguration({ id, model, vault, hidden, examples, onAddServers }: AgentConfigurationProps) {
  return (
    // Hidden, not unmounted: a key that is typed in part stays.
    <section id={id} className="configuration" aria-label="Agent configuration" tabIndex={-1} hidden={hidden}>
      <AgentHead model={model} />
      <ConnectedAccounts />
      <AgentAccounts />
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

/** A checkbox for each provider with an account. One that is not ticked stays connected, but no request carries it. */
function AgentAccounts() {
  const { providers, setIncluded } = useAgentAccounts(AGENT_ID)
  const accounts = useAccounts()
  const carried = useIdentities({ agent: AGENT_ID }).providers
  const names = useLatchkey().providers.flatMap(({ id, name }) => (carried.includes(id) ? [name] : []))
  const headingId = useId()
  const carriedId = useId()
  const connected = providers.filter(({ id }) => accounts.some(({ provider }) => provider === id))
  return (
    <fieldset className="section" aria-labelledby={headingId} aria-describedby={carriedId}>
      <h2 id={headingId}>This agent uses</h2>
      {connected.length > 0 && (
        <ul className="rows">
          {connected.map(({ id, included }) => (
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
      )}
      <p id={carriedId} className="hint">
        {names.length > 0
          ? `Your agent will use ${new Intl.ListFormat('en').format(names)}.`
          : 'Your agent will use no account.'}
      </p>
    </fieldset>
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
