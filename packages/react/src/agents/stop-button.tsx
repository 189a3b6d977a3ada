'use client'
import type { StopTarget } from '@latchkey/core/agents'
import { useEffect, useId, useRef, useState } from 'react'
import { useAccounts } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { sentenceOf, useAgentMessages, useAgents, useHasWords, useRulesQuery, useStop } from './oversight.tsx'
import { visibleLine } from './plain.ts'
import { findAgent, stopOf } from './ruled.ts'

const useDialog = /* @__PURE__ */ later(() => import('./stop-dialog.lazy.tsx'), 'StopDialog')

/** Props of {@link StopButton}. */
export interface StopButtonProps {
  /** What it stops. @default everything */
  target?: StopTarget
}

const EVERYTHING: StopTarget = { everything: true }

/**
 * Stops an agent, all use of an account, or everything, after it said what that is; and starts again what is stopped. An
 * agent stops with the one that started it: the button says so, and starts that one again.
 */
export function StopButton({ target = EVERYTHING }: StopButtonProps) {
  const hasWords = useHasWords()
  const language = useLanguage()
  if (!hasWords) return null
  return (
    <div {...language} className="latchkey latchkey-stop">
      <LiveRegion>
        <Stop target={target} />
      </LiveRegion>
    </div>
  )
}

/** What to call a target. Undefined for everything. */
function useNameOf() {
  const agents = useAgents()
  const accounts = useAccounts()
  return (target: StopTarget) => {
    if ('everything' in target) return undefined
    return visibleLine(
      'agent' in target
        ? (findAgent(agents, target.agent)?.name ?? target.agent)
        : (accounts.find(({ id }) => id === target.account)?.label ?? target.account),
    )
  }
}

function Stop({ target }: { target: StopTarget }) {
  const words = useAgentMessages()
  const agents = useAgents()
  const { data: person } = useRulesQuery()
  const { resume } = useStop()
  const [open, setOpen] = useState(false)
  const [Dialog, load] = useDialog(open)
  const button = useRef<HTMLButtonElement>(null)
  const problemId = useId()
  const nameOf = useNameOf()
  const name = nameOf(target)
  const by = person && stopOf(person, agents, target)
  const byName = by && nameOf(by)
  const isOwn = by === target
  const state =
    by && (byName === undefined ? words.stoppedEverything : isOwn ? words.stopped : words.stoppedWith(byName))
  const started = name === undefined ? words.spoken.startedEverything : words.spoken.started(name)
  const press = useAfterStart(button, state, started)
  return (
    <>
      {by ? (
        <>
          <span className="latchkey-status" data-slot="status" data-decision="stopped">
            {state}
          </span>
          <Button
            ref={button}
            size="small"
            aria-label={byName === undefined ? undefined : words.start(byName)}
            aria-disabled={resume.isPending || undefined}
            onClick={() => resume.isPending || resume.mutate(by, press())}
          >
            {isOwn ? words.startShort : byName === undefined ? words.startEverything : words.start(byName)}
          </Button>
          <Problem id={problemId} sentence={resume.error ? sentenceOf(words, resume.error) : undefined} />
        </>
      ) : (
        <Button
          ref={button}
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
          onClosed={() => button.current?.focus()}
        />
      )}
    </>
  )
}

/**
 * After a start the button is another one: the focus goes to it, and what is so now is said.
 *
 * @returns a function to call at the click, with what to do if the start fails
 */
function useAfterStart(button: { current: HTMLElement | null }, state: string | undefined, started: string) {
  const announce = useAnnounce()
  const before = useRef<string>(undefined)
  useEffect(() => {
    if (before.current === undefined || before.current === state) return
    before.current = undefined
    announce(state ?? started)
    if (document.activeElement === document.body) button.current?.focus()
  }, [button, state, started, announce])
  return () => {
    before.current = state
    const onError = () => {
      before.current = undefined
    }
    return { onError }
  }
}
