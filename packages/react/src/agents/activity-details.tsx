'use client'
import type { Activity as Use } from '@latchkey/core/agents'
import { ExceptionLine } from './exception-line.tsx'
import { useFacts } from './facts.ts'
import { useNow } from './now.ts'
import { useAgentMessages, useRequest } from './oversight.tsx'
import { Bones, Failed } from './parts.tsx'
import { Facts } from './request-parts.tsx'
import { findAgent, lineOf, rulesOf } from './ruled.ts'

/** What an entry points at: the exception that decided, and what its person was asked. */
export function ActivityDetails({ use }: { use: Use }) {
  const [, rule] = /^rule:(.+)$/.exec(use.rule ?? '') ?? []
  return (
    <>
      {rule !== undefined && <Decided use={use} rule={rule} />}
      {use.request !== undefined && <Called request={use.request} />}
    </>
  )
}

/** The exception that decided, as it is now. */
function Decided({ use, rule: id }: { use: Use; rule: string }) {
  const words = useAgentMessages()
  const { agents, person, status, retry } = useFacts()
  const now = useNow()
  if (status === 'failed') return <Failed onRetry={retry} />
  if (!person) return <Bones />
  const agent = findAgent(agents, use.agent)
  const [found] = (agent ? lineOf(agents, agent) : []).flatMap((one) =>
    rulesOf(person, one)
      .rules.filter(({ id: other, until }) => other === id && (until === undefined || until > now))
      .map((rule) => ({ agent: one, rule })),
  )
  return <p className="latchkey-line">{found ? <ExceptionLine {...found} /> : words.ruleGone}</p>
}

/** What a call was asked for with, and what its person made of it. The log itself has no arguments. */
function Called({ request: id }: { request: string }) {
  const words = useAgentMessages()
  const { request, status, retry } = useRequest(id)
  if (request) return <Facts request={request} edits={request.edited} />
  if (status === 'failed') return <Failed onRetry={retry} />
  return status === 'absent' ? <p className="latchkey-line">{words.argumentsGone}</p> : <Bones />
}
