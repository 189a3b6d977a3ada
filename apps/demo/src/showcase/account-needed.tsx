import type { ConnectedAccount, ConnectRequest, Provider } from '@latchkey/core'
import { readConnectRequest } from '@latchkey/core'
import { isMcp } from '@latchkey/core/mcp'
import { pausedRequests } from '@latchkey/core/runtimes/ai-sdk'
import {
  Account,
  ConnectPrompt,
  type MessageOverrides,
  useAccount,
  useAgentAccounts,
  useLatchkey,
} from '@latchkey/react'
import { isToolUIPart } from 'ai'
import { useEffect, useRef, useState } from 'react'
import { useAgent } from './agent-choice.tsx'
import type { AgentMessage } from './agent-message.ts'
import { mayHave } from './agents.ts'

/** What a tool waited for is there. */
export interface Ready {
  /** The account that was connected, in words: "GitHub as octocat". */
  account?: string
  /** The page that was visited. */
  visitedPage?: string
}

/** The kit's sentences, as the chat says them. A tool is named by what it does, with "_" for each space. */
export const MESSAGES: MessageOverrides = {
  promptTitle: (name, tool) => `Connect ${name} to ${tool?.replaceAll('_', ' ') ?? 'continue'}`,
  promptMore: (name, tool) => `Grant more access to ${name} to ${tool?.replaceAll('_', ' ') ?? 'continue'}`,
  promptConnected: (name, account) => `Connected ${name} as ${account}`,
}

type Part = AgentMessage['parts'][number]

/** The request for an account before a call, or the one for an account or a visit of a page that a tool gave as its answer. */
export function requestOf(part: Part, providers: readonly Provider[]): ConnectRequest | null {
  if (!isToolUIPart(part)) return null
  const [paused] = pausedRequests({ parts: [part] })
  if (paused?.kind === 'account') return paused.connect
  // A page on this machine is shown only for a server that is configured on this machine.
  const server = providers.find(({ id }) => id === part.toolMetadata?.provider)
  return readConnectRequest(part.output, isMcp(server) ? { server: server.mcp.url } : {})
}

/** What the tools of an answer wait for: one request for each account and each page, named by all tools that need it. */
export function requestsIn(parts: readonly Part[], providers: readonly Provider[]): ConnectRequest[] {
  const found = new Map<string, { request: ConnectRequest; scopes: string[]; titles: string[] }>()
  for (const part of parts) {
    const request = requestOf(part, providers)
    if (!request || !isToolUIPart(part)) continue
    const key = `${request.provider} ${request.url ?? ''}`
    const all = found.get(key) ?? { request, scopes: [], titles: [] }
    all.scopes.push(...(request.scopes ?? []))
    if (part.title) all.titles.push(part.title.charAt(0).toLowerCase() + part.title.slice(1))
    found.set(key, all)
  }
  return [...found.values()].map(({ request: { toolName: _, ...request }, scopes, titles }) => {
    const list = new Intl.ListFormat('en').format(new Set(titles))
    return {
      ...request,
      ...(scopes.length > 0 && { scopes: [...new Set(scopes)] }),
      ...(list && { toolName: list.replaceAll(' ', '_') }),
    }
  })
}

interface AccountNeededProps {
  request: ConnectRequest
  onReady: ((ready: Ready) => void) | undefined
}

/** Asks in the chat for a missing account: to connect it, or to turn it on for this agent. It can be put off. */
export function AccountNeeded({ request, onReady }: AccountNeededProps) {
  const client = useLatchkey()
  const agent = useAgent()
  const { providers, setIncluded } = useAgentAccounts(agent.id)
  const [skipped, setSkipped] = useState(false)
  const account = useAccount(request.provider)

  // The tool had this account and still asks for it, so the API answered 401: the token is invalid.
  const isMine = mayHave(agent, request.provider)
  const refused = onReady && isMine && !request.scopes?.length ? request.accountId : undefined
  const reported = useRef(false)
  useEffect(() => {
    if (!refused || reported.current) return
    reported.current = true
    client.reportInvalidToken(refused).then(
      ({ status }) => status === 'connected' && onReady?.({}),
      () => {}, // Disconnected meanwhile: the prompt below asks for it.
    )
  }, [client, refused, onReady])

  const provider = client.providers.find(({ id }) => id === request.provider)
  if (!provider) return null
  if (!isMine) {
    return (
      <div className="notice">
        <p>
          {agent.name} may not use {provider.name}.
        </p>
      </div>
    )
  }
  if (providers.some(({ id, included }) => id === provider.id && !included)) {
    const turnOn = () => {
      setIncluded(provider.id, true)
      onReady?.({})
    }
    return (
      <div className="notice">
        <p>{provider.name} is turned off for this agent.</p>
        <button type="button" className="button" aria-label={`Turn on ${provider.name}`} onClick={turnOn}>
          Turn on
        </button>
      </div>
    )
  }
  const connected = ({ label }: ConnectedAccount) =>
    onReady?.(request.url ? { visitedPage: request.url } : { account: `${provider.name} as ${label}` })
  return (
    <div className="account-needed">
      {/* Hidden, not unmounted: a key that is typed in part stays. */}
      <div hidden={skipped}>
        <ConnectPrompt request={request} onConnected={onReady && !skipped ? connected : undefined} />
      </div>
      <div className="later">
        {skipped && <p>{request.url ? 'You put this off.' : `You put off connecting ${provider.name}.`}</p>}
        {!skipped && account?.status === 'needs-reconnect' && (
          <Account.Root asChild provider={provider.id}>
            <p>
              <Account.Reason />
            </p>
          </Account.Root>
        )}
        {/* One button for both, so that it keeps the focus. */}
        <button
          type="button"
          className="text-button"
          aria-label={skipped ? undefined : `Not now: ${provider.name}`}
          onClick={() => setSkipped(!skipped)}
        >
          {skipped ? 'Undo' : 'Not now'}
        </button>
      </div>
    </div>
  )
}

/** What is left of a request once its account is connected. */
export function Connected({ account }: { account: string }) {
  return (
    <p className="connected">
      <span aria-hidden="true">✓ </span>Connected {account}
    </p>
  )
}
