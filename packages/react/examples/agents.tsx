import { createOversight } from '@latchkey/core/agents'
import { github } from '@latchkey/core/providers'
import { LatchkeyProvider } from '@latchkey/react'
import {
  Activity,
  AgentAccess,
  OversightProvider,
  RequestCard,
  RequestsInbox,
  StopButton,
  useRequests,
} from '@latchkey/react/agents'
import type { ReactNode } from 'react'
import '@latchkey/react/styles.css'
import '@latchkey/react/oversight.css'

const providers = [github()]
const oversight = createOversight({ broker: '/api/latchkey' })

/** Around the whole app. */
export function Overseen({ children }: { children: ReactNode }) {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={providers}>
      <OversightProvider oversight={oversight}>{children}</OversightProvider>
    </LatchkeyProvider>
  )
}

/** The page of one agent. */
export function AgentPage({ agent }: { agent: string }) {
  return (
    <>
      <RequestsInbox />
      <AgentAccess agent={agent} />
      <Activity agent={agent} />
      <StopButton />
    </>
  )
}

/** The answer of a tool, in the chat. `goOn` has the last message answered anew. */
export function ToolOutput({ output, goOn }: { output: unknown; goOn: () => void }) {
  const { type, request: id } = (output ?? {}) as { type?: unknown; request?: unknown }
  const request = useRequests().find((one) => one.id === id)
  if (type !== 'approval_required') return <pre>{JSON.stringify(output, null, 2)}</pre>
  return request && <RequestCard request={request} onAnswered={goOn} />
}
