'use client'
import type { AgentRequest, Lease } from '@latchkey/core/agents'
import { useEffect, useId, useRef, useState } from 'react'
import { useAccounts, useKit, useProvider } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { clockWords, useNow } from './now.ts'
import {
  sentenceOf,
  useAgentMessages,
  useAgents,
  useAgentsQuery,
  useHasWords,
  useRequest,
  useRequestNow,
} from './oversight.tsx'
import { Bones, Failed, type Level } from './parts.tsx'
import { shownTitle, visibleLine } from './plain.ts'
import { EditForm, type Edits, Facts, intoView, WhyForm } from './request-parts.tsx'
import { findAgent } from './ruled.ts'
import { useSend } from './send.ts'
import { speak } from './speak.ts'

type LeaseChoice = AgentRequest['leases'][number]

const HOUR = 3_600_000
const SOON = 60_000
/** How long a yes waits for its call, on every server. */
const HOLDS = 600_000

/** Props of {@link RequestCard}. */
export interface RequestCardProps {
  /** One of `useRequests()`, or its id, as a link to it carries it. */
  request: AgentRequest | string
  /** Level of the heading with who asks. @default 3 */
  headingLevel?: Level
  /**
   * It stands apart from its chat, in a list or on a page of its own: a card that was allowed there says where the agent
   * goes on. @default whether `request` is an id
   */
  apart?: boolean
  /** Called when the person has answered here, with the request as it is then. */
  onAnswered?: (request: AgentRequest) => void
}

/**
 * One request of an agent: who asks, as whom, to do what, and the person's answer. It takes no focus by itself, and is
 * heard once, politely. A link to a request is a page of the app with its id: for everybody but its person the card says
 * that there is no such request, and nothing else.
 */
export function RequestCard({ request, ...props }: RequestCardProps) {
  return typeof request === 'string' ? <Linked apart {...props} id={request} /> : <Shown {...props} request={request} />
}

type Found = RequestCardProps & { request: AgentRequest }

/** A request of which only the id is known. */
function Linked({ id, ...props }: Omit<RequestCardProps, 'request'> & { id: string }) {
  const { request, status, retry } = useRequest(id)
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const language = useLanguage()
  if (request) return <Shown {...props} request={request} />
  return (
    <div
      {...language}
      className="latchkey latchkey-card latchkey-request"
      aria-busy={status === 'loading' || !hasWords || undefined}
    >
      {status === 'loading' || !hasWords ? (
        <Bones />
      ) : status === 'failed' ? (
        <Failed onRetry={retry} />
      ) : (
        <p className="latchkey-empty">{words.absent}</p>
      )}
    </div>
  )
}

function Shown(props: Found) {
  const hasWords = useHasWords()
  const language = useLanguage()
  // Who asks has a name, which is known once the agents are.
  const { isPending } = useAgentsQuery()
  return (
    <LiveRegion>
      {hasWords && !isPending ? (
        <Card {...props} />
      ) : (
        <div {...language} className="latchkey latchkey-card latchkey-request" aria-busy="true">
          <Bones />
        </div>
      )}
    </LiveRegion>
  )
}

/** How it ended, or undefined while it waits. */
type Ending = 'approved' | 'denied' | 'expired' | undefined

function Card({ request: given, headingLevel = 3, apart = false, onAnswered }: Found) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  const agents = useAgents()
  const agent = findAgent(agents, given.agent)
  const parent = findAgent(agents, agent?.parent)
  const [answered, setAnswered] = useState<{ request: AgentRequest; at: number }>()
  const request = useRequestNow(given, answered !== undefined)
  const current = answered?.request ?? request
  const left = current.expiresAt - now
  const ending: Ending = current.state !== 'waiting' ? current.state : left <= 0 ? 'expired' : undefined
  const name = visibleLine(agent?.name ?? given.agent)
  const goesOn = apart && ending === 'approved' && answered && now < answered.at + HOLDS ? words.goesOn : undefined
  const more = ending === 'denied' && current.withdrawn ? words.withdrawn : goesOn
  useSpoken(given, name, ending === undefined && left < SOON, ending !== undefined)
  useSpokenEnd(given, ending, more)

  const card = useRef<HTMLElement>(null)
  // The buttons go when it has ended, and the focus with them: it stays in the card if it was there.
  const isInside = useRef(false)
  useEffect(() => {
    if (ending && isInside.current && document.activeElement === document.body) card.current?.focus()
  }, [ending])
  const titleId = useId()
  const Heading = `h${headingLevel}` as const
  const { provider, mark, label } = useWhom(current)
  const onDone = (done: AgentRequest) => {
    setAnswered({ request: done, at: Date.now() })
    onAnswered?.(done)
  }
  return (
    <article
      {...useLanguage()}
      ref={card}
      tabIndex={-1}
      onFocus={() => {
        isInside.current = true
      }}
      onBlur={({ currentTarget, relatedTarget }) => {
        if (relatedTarget && !currentTarget.contains(relatedTarget)) isInside.current = false
      }}
      className="latchkey latchkey-card latchkey-request"
      aria-labelledby={titleId}
      data-state={ending ?? 'waiting'}
    >
      <div className="latchkey-access-head">
        <span className="latchkey-mark">{mark}</span>
        <div className="latchkey-title">
          <Heading id={titleId} className="latchkey-name">
            {words.asks(name, provider)}
          </Heading>
          <p className="latchkey-line">
            {[words.asWhom(label), parent && words.helperOf(visibleLine(parent.name))].filter(Boolean).join(' · ')}
          </p>
        </div>
        {!ending && now > 0 && (
          <p className="latchkey-hint">{words.expires(clockWords(current.expiresAt, now, locale))}</p>
        )}
      </div>
      {ending ? <Ended request={current} ending={ending} more={more} /> : <Waiting request={current} onDone={onDone} />}
    </article>
  )
}

/** As whom a call is made. */
function useWhom({ account: accountId, provider: providerId }: AgentRequest) {
  const { icons } = useKit()
  const accounts = useAccounts()
  const provider = useProvider(providerId)
  const account = accounts.find(({ id }) => id === accountId)
  return {
    mark: provider && brandMark(provider, icons),
    provider: provider?.name ?? visibleLine(providerId),
    label: visibleLine(account?.label ?? accountId),
  }
}

/** Says once that it asks, and once that hardly any time is left. */
function useSpoken({ id, tool }: AgentRequest, agent: string, isSoon: boolean, isOver: boolean) {
  const words = useAgentMessages()
  const announce = useAnnounce()
  const asked = words.spoken.asks(agent, shownTitle(tool.title))
  const soon = words.spoken.soon(agent)
  const said = useRef('')
  useEffect(() => {
    const what = `${id} ${isSoon}`
    if (isOver || said.current === what) return
    said.current = what
    speak(announce, isSoon ? soon : asked)
  }, [announce, id, asked, soon, isSoon, isOver])
}

/** Says how it ended, if it waited here before. */
function useSpokenEnd({ tool }: AgentRequest, ending: Ending, more: string | undefined) {
  const words = useAgentMessages()
  const announce = useAnnounce()
  const waited = useRef(false)
  const said = ending && [words.spoken.ended(shownTitle(tool.title), words[ending]), more].filter(Boolean).join(' ')
  useEffect(() => {
    if (said !== undefined && waited.current) speak(announce, said)
    waited.current = said === undefined
  }, [announce, said])
}

interface EndedProps {
  request: AgentRequest
  ending: NonNullable<Ending>
  /** Why, or what comes of it. */
  more: string | undefined
}

/** A request with its answer: one line, and what it was. */
function Ended({ request, ending, more }: EndedProps) {
  const words = useAgentMessages()
  return (
    <>
      <Facts request={request} edits={undefined} short />
      <div className="latchkey-request-end">
        <p className="latchkey-status" data-decision={ending === 'approved' ? 'allow' : 'never'}>
          {words[ending]}
        </p>
        {more && <p className="latchkey-line">{more}</p>}
      </div>
    </>
  )
}

interface WaitingProps {
  request: AgentRequest
  onDone: (request: AgentRequest) => void
}

/** What it will do, and the answers to it. */
function Waiting({ request, onDone }: WaitingProps) {
  const words = useAgentMessages()
  const [form, setForm] = useState<'why' | 'edit'>()
  // Which form was open before: its button has the focus then.
  const [left, setLeft] = useState<'why' | 'edit'>()
  const [edits, setEdits] = useState<Edits>()
  const [lease, setLease] = useState<LeaseChoice>(request.leases[0] ?? 'once')
  const { send, phase, held, error } = useSend(request, onDone)
  const leaseId = useId()
  const problemId = useId()
  const { tool, because, leases } = request
  const { label } = useWhom(request)
  const reach = lease === 'once' || edits ? undefined : words.reach[lease](label)
  const editable = (tool.edit ?? []).length > 0
  const open = (next: 'why' | 'edit' | undefined) => {
    setLeft(form)
    setForm(next)
  }
  const allow = () =>
    send({
      answer: 'yes',
      ...(edits
        ? { lease: 'once' as const, args: edits }
        : { lease: lease === 'hour' ? { until: Date.now() + HOUR } : (lease satisfies Lease) }),
    })
  const deny = (reason = '') => send({ answer: 'no', ...(reason && { reason }) })
  const busy = phase !== undefined || undefined
  const { presence } = words
  const needsProof = request.presence === 'needed'
  return (
    <>
      {form === 'edit' ? (
        <EditForm
          request={request}
          edits={edits}
          onCancel={() => open(undefined)}
          onEdited={(next) => {
            setEdits(next)
            open(undefined)
          }}
        />
      ) : (
        <Facts request={request} edits={edits} />
      )}
      {request.mayHaveHappened && <Notice tone="warning">{words.mayHaveHappened}</Notice>}
      {because.by === 'unknown' && (
        <Notice>{because.what === 'tool' ? words.unknownTool : words.unknownVersion}</Notice>
      )}
      {form === 'why' && <WhyForm busy={busy ?? false} onCancel={() => open(undefined)} onDeny={deny} />}
      {form === undefined && (
        <div className="latchkey-request-foot">
          {edits ? (
            <p className="latchkey-hint">{words.editedOnce}</p>
          ) : (
            leases.length > 1 && (
              <div className="latchkey-remember">
                <label htmlFor={leaseId}>{words.remember}</label>
                <span className="latchkey-control">
                  <select
                    id={leaseId}
                    aria-describedby={reach && `${leaseId}reach`}
                    value={lease}
                    onChange={(event) => setLease(event.currentTarget.value as LeaseChoice)}
                  >
                    {leases.map((one) => (
                      <option key={one} value={one}>
                        {words.leases[one]}
                      </option>
                    ))}
                  </select>
                </span>
              </div>
            )
          )}
          {reach && (
            <p ref={parentIntoView} id={`${leaseId}reach`} className="latchkey-hint latchkey-reach">
              {reach}
            </p>
          )}
          {(phase || needsProof) && (
            <p className="latchkey-hint">
              {phase === 'sending' ? words.sending : phase === 'asking' ? presence.asking : presence.hint}
            </p>
          )}
          <div className="latchkey-actions">
            <Button aria-disabled={busy} onClick={() => deny()}>
              {words.notNow}
            </Button>
            <Button
              ref={left === 'why' ? focus : undefined}
              kind="quiet"
              aria-disabled={busy}
              onClick={() => busy || open('why')}
            >
              {words.sayWhy}
            </Button>
            {editable && (
              <Button
                ref={left === 'edit' ? focus : undefined}
                aria-disabled={busy}
                onClick={() => busy || open('edit')}
              >
                {words.changeShort}
              </Button>
            )}
            <Button kind={tool.effect === 'destructive' ? 'danger' : 'primary'} aria-disabled={busy} onClick={allow}>
              {words.allow}
            </Button>
          </div>
        </div>
      )}
      {held && (
        <div ref={intoView} className="latchkey-request-problem">
          <Problem id={problemId} sentence={presence[held]} />
        </div>
      )}
      {error && (
        <div ref={intoView} className="latchkey-request-problem">
          <Problem id={problemId} sentence={sentenceOf(words, error)} />
        </div>
      )}
    </>
  )
}

/** What comes later takes its place where the person looks, and the buttons with it. */
const parentIntoView = (node: HTMLElement | null) => intoView(node?.parentElement)

const focus = (node: HTMLElement | null) => node?.focus()
