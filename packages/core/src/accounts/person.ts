import type { Provider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'

/** Whether it is known whose account it is. */
export const hasPerson = ({ username, email, name }: ConnectedAccount) => Boolean(username ?? email ?? name)

/** Whether an account's label names its person. That of an MCP account can be the server's own name. */
export const labelsPerson = ({ kind }: Provider, account: ConnectedAccount) => kind !== 'mcp' || hasPerson(account)
