import { github } from '@latchkey/core/providers/github'
import { AddMcpServer, ConnectedAccounts, LatchkeyProvider, useMcpServers } from '@latchkey/react'

/** The person adds MCP servers, and removes them by the menus of their cards. */
export function Accounts() {
  const servers = useMcpServers()
  return (
    <LatchkeyProvider
      broker="/api/latchkey"
      providers={[github(), ...servers.providers]}
      onRemoveServer={servers.remove}
    >
      <ConnectedAccounts />
      <AddMcpServer onAdd={servers.add} />
    </LatchkeyProvider>
  )
}
