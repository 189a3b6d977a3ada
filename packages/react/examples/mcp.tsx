import { mcpServers } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { AddMcpServer, ConnectedAccounts, LatchkeyProvider, Registrations, useMcpServers } from '@latchkey/react'

// The `mcpServers` JSON of agent configurations. Its servers are connected like any other account.
const configured = mcpServers({ mcpServers: { linear: { url: 'https://mcp.linear.app/mcp' } } })

export function Settings() {
  // Those that the person added, kept in this browser.
  const servers = useMcpServers()
  return (
    <LatchkeyProvider
      broker="/api/latchkey"
      app={{ client_name: 'My agent' }}
      providers={[github(), ...configured.providers, ...servers.providers]}
      onRemoveServer={servers.remove}
    >
      <ConnectedAccounts />
      <AddMcpServer onAdd={servers.add} />
      <Registrations />
    </LatchkeyProvider>
  )
}
