'use client'
import type { StopTarget } from '@latchkey/core/agents'
import { useId, useRef, useState } from 'react'
import { useAccounts } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { sentenceOf, useAgentMessages, useAgents, useHasWords, useRulesQuery, useStop } from './oversight.tsx'
import { visibleLine } from './plain.ts'
import { findAgent, stoppedAt } from './ruled.ts'

const useDialog = /* @__PURE__ */ later(() => import('./stop-dialog.lazy.tsx'), 'StopDialog')

/** Props of {@link StopButton}. */
export interface StopButtonProps {
  /** What it stops. @default everything */
  target?: StopTarget
}

const EVERYTHING: StopTarget = { everything: true }

/**
 * Stops an agent, all use of an account, or everything, after it said what that is; and starts again what is stopped.
 */
export function StopButton({ target = EVERYTHING }: StopButtonProps) {
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const agents = useAgents()
  const accounts = useAccounts()
  const { data: person } = useRulesQuery()
  const { resume } = useStop()
  const [open, setOpen] = useState(false)
  const [Dialog, load] = useDialog(open)
  const language = useLanguage()
  const place = useRef<HTMLDivElement>(null)
  const problemId = useId()
  if (!hasWords) return null
  const given =
    'agent' in target
      ? (findAgent(agents, target.agent)?.name ?? target.agent)
      : 'account' in target
        ? (accounts.find(({ id }) => id === target.account)?.label ?? target.account)
        : undefined
  const name = given === undefined ? undefined : visibleLine(given)
  const isStopped = person && stoppedAt(person, target) !== undefined
  return (
    <div ref={place} {...language} className="latchkey latchkey-stop">
      {isStopped ? (
        <>
          <span className="latchkey-status" data-slot="status" data-decision="stopped">
            {name === undefined ? words.stoppedEverything : words.stopped}
          </span>
          <Button
            size="small"
            aria-label={name === undefined ? undefined : words.start(name)}
            aria-disabled={resume.isPending || undefined}
            onClick={() => resume.isPending || resume.mutate(target)}
          >
            {words.startShort}
          </Button>
          <Problem id={problemId} sentence={resume.error ? sentenceOf(words, resume.error) : undefined} />
        </>
      ) : (
        <Button
          size="small"
          className="latchkey-disconnect"
          aria-haspopup="dialog"
          aria-label={name === undefined ? undefined : words.stop(name)}
          onIntent={load}
          onClick={() => setOpen(true)}
        >
          {name === undefined ? words.stopEverything : words.stopShort}
        </Button>
      )}
      {open && Dialog && (
        <Dialog
          target={target}
          name={name}
          onClose={() => setOpen(false)}
          // The button that opened it may be the other one by now.
          onClosed={() => place.current?.querySelector('button')?.focus()}
        />
      )}
    </div>
  )
}
