import type { ConnectRequest } from '@latchkey/core'
import { Account, ConnectPrompt, useAgentAccounts, useLatchkey } from '@latchkey/react'
import { useEffect, useRef } from 'react'
import { AGENT_ID } from '../agent.ts'

interface AccountNeededProps {
  request: ConnectRequest
  onReady: (() => void) | undefined
}

/** Asks in the chat for a missing account: to connect it, or to include it for this agent. */
export function AccountNeeded({ request, onReady }: AccountNeededProps) {
  const client = useLatchkey()
  const { providers, setIncluded } = useAgentAccounts(AGENT_ID)

  // The tool had this account and still asks for it, so the API answered 401: the token is invalid.
  const refused = onReady && !request.scopes?.length ? request.accountId : undefined
  const reported = useRef(false)
  useEffect(() => {
    if (!refused || reported.current) return
    reported.current = true
    client.reportInvalidToken(refused).then(
      ({ status }) => status === 'connected' && onReady?.(),
      () => {}, // Disconnected meanwhile: the prompt below asks for it.
    )
  }, [client, refused, onReady])

  const excluded = providers.some(({ id, included }) => id === request.provider && !included)
  if (!excluded) return <ConnectPrompt request={request} onConnected={onReady} />

  const allow = () => {
    setIncluded(request.provider, true)
    onReady?.()
  }
  return (
    <Account.Root provider={request.provider} className="notice">
      <p>
        This agent does not use <Account.Name />.
      </p>
      <button type="button" className="button" onClick={allow}>
        <span>
          Use <Account.Name />
        </span>
      </button>
    </Account.Root>
  )
}
