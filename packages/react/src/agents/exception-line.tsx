'use client'
import type { Agent, Rule } from '@latchkey/core/agents'
import { useFirstMessages } from '../use-first-messages.ts'
import { untilWords, useNow } from './now.ts'
import { useAgentMessages } from './oversight.tsx'
import { ToolTitle } from './parts.tsx'

/** The title of the tool that an exception is about. Undefined for one that names no tool. */
export function titleOf(agent: Agent, { subject }: Rule): string | undefined {
  const tool = subject !== '*' && 'tool' in subject ? subject.tool : undefined
  return agent.tools.find(({ name }) => name === tool)?.title ?? tool
}

/** What an exception is about when it names no tool. */
export function useMatter({ subject, effect }: Rule): string {
  const { everything } = useAgentMessages()
  return everything[(subject !== '*' && 'effect' in subject ? subject.effect : effect) ?? 'all']
}

/** Stands in a sentence where a title will be, which has a box of its own. No catalogue and no name has it. */
const PLACE = '\uE000'

/** An exception in a few words: what it is about, what becomes of that, and how long. */
export function ExceptionLine({ agent, rule }: { agent: Agent; rule: Rule }) {
  const { exception } = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  const matter = useMatter(rule)
  const { decision, until, chat, when } = rule
  const title = titleOf(agent, rule)
  const forGood = when ? exception.allow : exception.always
  const lasting = chat === undefined ? forGood : exception.chat
  const allowed = until === undefined ? lasting : exception.until(untilWords(until, now, locale))
  const says = decision === 'allow' ? allowed : exception[decision]
  const [start, end] = exception.is(PLACE, when ? exception.some(says) : says).split(PLACE)
  return (
    <>
      {start}
      {title === undefined ? matter : <ToolTitle title={title} />}
      {end}
    </>
  )
}
