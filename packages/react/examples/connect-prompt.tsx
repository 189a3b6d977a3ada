import { readConnectRequest } from '@latchkey/core'
import { ConnectPrompt } from '@latchkey/react'

/** The answer of a tool, in the chat. `goOn` sends the last message again. */
export function ToolAnswer({ output, goOn }: { output: unknown; goOn: () => void }) {
  const request = readConnectRequest(output)
  if (request) return <ConnectPrompt request={request} onConnected={goOn} />
  return <pre>{JSON.stringify(output, null, 2)}</pre>
}
