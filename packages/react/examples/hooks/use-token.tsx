import { useToken } from '@latchkey/react'
import { useState } from 'react'

/** Gets the token for one request, and does not keep it. */
export function Repositories() {
  const { getToken, status } = useToken('github')
  const [names, setNames] = useState<string[]>([])
  const load = async () => {
    const headers = { authorization: `Bearer ${await getToken()}` }
    const response = await fetch('https://api.github.com/user/repos', { headers })
    const repositories: { full_name: string }[] = await response.json()
    setNames(repositories.map(({ full_name }) => full_name))
  }
  return (
    <button type="button" onClick={load} disabled={status !== 'connected'}>
      {names.length > 0 ? names.join(', ') : 'List repositories'}
    </button>
  )
}
