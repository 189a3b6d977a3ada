import { useAgentAccounts } from '@latchkey/react'

/** The person chooses which accounts an agent may use. */
export function AgentAccounts() {
  const { providers, setIncluded } = useAgentAccounts('assistant')
  return providers.map(({ id, included }) => (
    <label key={id}>
      <input type="checkbox" checked={included} onChange={(event) => setIncluded(id, event.target.checked)} /> {id}
    </label>
  ))
}
