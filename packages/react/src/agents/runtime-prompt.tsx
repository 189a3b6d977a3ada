'use client'
import type { ReactNode } from 'react'
import { useProvider } from '../hooks.ts'
import { later } from '../later.tsx'
import { SmallButton } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { useAgentMessages, useRequest } from './oversight.tsx'
import type { Level } from './parts.tsx'
import { RequestCard } from './request-card.tsx'
import type { PausedRequest } from './runtime-requests.ts'

const useConnectPrompt = /* @__PURE__ */ later(() => import('../connect/prompts.lazy.ts'), 'ConnectPrompt')
const useForeignPrompt = /* @__PURE__ */ later(() => import('../connect/prompts.lazy.ts'), 'ForeignPrompt')

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
    <div className="latchkey latchkey-runtime" data-kind={request.kind} data-state={request.state}>
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
  if (request.kind === 'call') return <Call request={request} headingLevel={headingLevel} />
  return request.kind === 'account' ? <Account request={request} /> : <Page request={request} />
}

function Call({ request, headingLevel }: { request: PausedRequest & { kind: 'call' }; headingLevel: Level }) {
  const words = useAgentMessages()
  const { status } = useRequest(request.request)
  if (request.asked) return <RequestCard request={request.asked} headingLevel={headingLevel} />
  return status === 'absent' ? (
    <Unknown request={request}>{words.absent}</Unknown>
  ) : (
    <RequestCard request={request.request} headingLevel={headingLevel} apart={false} />
  )
}

function Account({ request }: { request: PausedRequest & { kind: 'account' } }) {
  const words = useAgentMessages()
  const isKnown = useProvider(request.connect.provider) !== undefined
  const [ConnectPrompt] = useConnectPrompt(isKnown)
  if (!isKnown) return <Unknown request={request}>{words.noSuchService}</Unknown>
  return (
    ConnectPrompt && (
      <ConnectPrompt request={request.connect} onConnected={() => request.answer(true)} {...declining(request)} />
    )
  )
}

/** What this page has no card for. It can be declined all the same. */
function Unknown({ request, children }: { request: PausedRequest; children: ReactNode }) {
  const words = useAgentMessages()
  const { onDecline } = declining(request)
  return (
    <Notice tone="warning" actions={onDecline && <SmallButton label={words.notNow} onPress={onDecline} />}>
      {children}
    </Notice>
  )
}

function Page({ request }: { request: PausedRequest & { kind: 'page' } }) {
  const [ForeignPrompt] = useForeignPrompt(true)
  return (
    ForeignPrompt && (
      <ForeignPrompt
        request={request.page}
        onOpen={request.visit}
        onReturn={() => request.answer(true)}
        {...declining(request)}
      />
    )
  )
}

/** A person may do without: then the agent hears of it, and its thread is not blocked. */
const declining = ({ state, answer }: PausedRequest) => (state === 'waiting' ? { onDecline: () => answer(false) } : {})
