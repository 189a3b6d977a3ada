'use client'
import { useId, useState } from 'react'
import { later } from '../later.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { useActivity, useAgentMessages, useHasWords } from './oversight.tsx'
import { Bones } from './parts.tsx'

const useContents = /* @__PURE__ */ later(() => import('./activity-contents.lazy.tsx'), 'ActivityContents')

/** Props of {@link Activity}. */
export interface ActivityProps {
  /** Agent id. @default all agents, and a choice of one */
  agent?: string
  /** Account id. @default all accounts */
  account?: string
  /** Level of the heading. @default 2 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
}

/**
 * What agents did with accounts, newest first: what was done, what was blocked, and what failed. What is new comes by
 * itself. The person can save all of it, and have the log behind it checked.
 */
export function Activity({ agent: only, account, headingLevel = 2 }: ActivityProps) {
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const [chosen, setChosen] = useState('')
  const agent = only ?? (chosen || undefined)
  const activity = useActivity({ agent, account })
  const [Contents] = useContents(true)
  const id = useId()
  const Heading = `h${headingLevel}` as const
  const isLoading = activity.status === 'loading' || !hasWords
  return (
    <section
      {...useLanguage()}
      className="latchkey latchkey-activity"
      aria-labelledby={id}
      aria-busy={isLoading || !Contents || undefined}
    >
      <div className="latchkey-top">
        <Heading id={id} className="latchkey-heading">
          {hasWords && words.activity}
        </Heading>
      </div>
      {isLoading || !Contents ? (
        <Bones />
      ) : (
        <Contents
          labelledBy={id}
          activity={activity}
          agent={agent}
          account={account}
          onChoose={only === undefined ? setChosen : undefined}
        />
      )}
    </section>
  )
}
