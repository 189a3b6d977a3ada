import { useAccount, useAgentAccounts, useToken } from '@latchkey/react'
import { useState } from 'react'

/** Calls an API as the person. It gets the token when it needs it, and does not keep it. */
export function Repositories() {
  const account = useAccount('github')
  const { getToken } = useToken('github')
  const [names, setNames] = useState<string[]>([])
  if (!account) return null

  const load = async () => {
    const headers = { authorization: `Bearer ${await getToken()}` }
    const response = await fetch('https://api.github.com/user/repos', { headers })
    const repositories: { full_name: string }[] = await response.json()
    setNames(repositories.map(({ full_name }) => full_name))
  }
  return (
    <>
      <button type="button" onClick={load}>
        Repositories of {account.label}
      </button>
      <ul>
        {names.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </>
  )
}

/** Which accounts one agent may use. */
export function AgentAccounts({ agent }: { agent: string }) {
  const { providers, setIncluded } = useAgentAccounts(agent)
  return providers.map(({ id, included }) => (
    <label key={id}>
      <input type="checkbox" checked={included} onChange={(event) => setIncluded(id, event.target.checked)} /> {id}
    </label>
  ))
}
