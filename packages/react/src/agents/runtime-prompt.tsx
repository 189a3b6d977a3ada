'use client'
import type { ConnectRequest, Provider } from '@latchkey/core'
import { useRef } from 'react'
import { ConnectPrompt, useWanted } from '../connect/connect-prompt.tsx'
import { ForeignPrompt } from '../connect/foreign-prompt.tsx'
import { useProvider } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { useMessages } from '../use-messages.ts'
import { useAgentMessages } from './oversight.tsx'
import type { Level } from './parts.tsx'
import { RequestCard } from './request-card.tsx'
import type { PausedRequest } from './runtime-requests.ts'

/** Props of {@link RuntimePrompt}. */
export interface RuntimePromptProps {
  /** One of `useRequests(runtime)`. */
  request: PausedRequest
  /** Level of the heading with who asks. @default 3 */
  headingLevel?: Level
}

/**
 * Whatever an agent's runtime waits for, as one card in the chat: a call to allow, an account to connect, or a page of another
 * vault to visit. The runtime goes on with the answer, which can always be *Not now*.
 */
export function RuntimePrompt({ request, headingLevel }: RuntimePromptProps) {
  const words = useAgentMessages()
  return (
    <div className="latchkey-runtime" data-kind={request.kind} data-state={request.state}>
      <Card request={request} headingLevel={headingLevel} />
      {request.state === 'failed' && (
        <Notice tone="error" actions={<SmallButton label={words.retry} onPress={request.tellAgain} />}>
          {words.notTold}
        </Notice>
      )}
    </div>
  )
}

function Card({ request, headingLevel = 3 }: RuntimePromptProps) {
  if (request.kind === 'call')
    return request.asked ? <RequestCard request={request.asked} headingLevel={headingLevel} /> : null
  return request.kind === 'account' ? <Account request={request} /> : <Page request={request} />
}

function Account({ request }: { request: PausedRequest & { kind: 'account' } }) {
  const words = useAgentMessages()
  const { connect } = request
  const provider = useProvider(connect.provider)
  if (provider) return <Known request={request} provider={provider} connect={connect} />
  return (
    <Notice tone="warning" actions={<Later request={request} />}>
      {words.noSuchService}
    </Notice>
  )
}

interface KnownProps {
  request: PausedRequest
  provider: Provider
  connect: ConnectRequest
}

function Known({ request, provider, connect }: KnownProps) {
  const words = useAgentMessages()
  const { fulfilled, ready } = useWanted(provider, connect)
  // The server may know better why it cannot be used, so nothing goes on by itself with what was there from the start.
  const wasThere = useRef<boolean>(undefined)
  if (ready) wasThere.current ??= fulfilled !== undefined
  return (
    <>
      <ConnectPrompt request={connect} onConnected={() => request.answer(true)} />
      {request.state === 'waiting' && (
        <div className="latchkey-later">
          {fulfilled && wasThere.current && (
            <SmallButton kind="primary" label={words.goOn} onPress={() => request.answer(true)} />
          )}
          <Later request={request} name={provider.name} />
        </div>
      )}
    </>
  )
}

function Page({ request }: { request: PausedRequest & { kind: 'page' } }) {
  const { page } = request
  return (
    <>
      <ForeignPrompt request={page} onReturn={() => request.answer(true)} />
      {request.state === 'waiting' && (
        <div className="latchkey-later">
          <Later request={request} name={page.host} />
        </div>
      )}
    </>
  )
}

/** A person may do without: then the agent hears of it, and its thread is not blocked. */
function Later({ request, name }: { request: PausedRequest; name?: string }) {
  const { promptLaterShort, promptLater } = useMessages()
  return (
    <SmallButton
      label={promptLaterShort}
      {...(name !== undefined && { name: promptLater(name) })}
      onPress={() => request.answer(false)}
    />
  )
}
