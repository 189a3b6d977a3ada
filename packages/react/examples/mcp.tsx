import { mcpServers } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { AddMcpServer, ConnectedAccounts, LatchkeyProvider, Registrations } from '@latchkey/react'
import { useState } from 'react'

// The `mcpServers` JSON of agent configurations. Its servers are connected like any other account.
const configured = mcpServers({ mcpServers: { linear: { url: 'https://mcp.linear.app/mcp' } } })

export function Settings() {
  const [servers, setServers] = useState(configured.providers)
  return (
    <LatchkeyProvider broker="/api/latchkey" app={{ client_name: 'My agent' }} providers={[github(), ...servers]}>
      <ConnectedAccounts />
      <AddMcpServer onAdd={({ providers }) => setServers([...servers, ...providers])} />
      <Registrations />
    </LatchkeyProvider>
  )
}
