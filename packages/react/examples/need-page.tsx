import { readNeedPage } from '@latchkey/core/runtimes/need-page'
import { ConnectPrompt } from '@latchkey/react'
import { RequestCard } from '@latchkey/react/agents'

/** The page that MCP clients open, for whoever is signed in here: https://app.example/agents?… To look at it changes nothing. */
export function NeedPage({ address }: { address: string }) {
  const need = readNeedPage('https://app.example/agents', address)
  if (need?.kind === 'call') return <RequestCard request={need.request} headingLevel={2} />
  if (need?.kind === 'account') return <ConnectPrompt request={need.connect} />
  return <p>Nothing waits for you here.</p>
}
