'use client'
import type { StopReceipt, StopTarget } from '@latchkey/core/agents'
import { Description, Title } from '@radix-ui/react-dialog'
import { useEffect, useId, useRef } from 'react'
import { Frame } from '../dialogs/questions.lazy.tsx'
import { Button } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { sentenceOf, useAgentMessages, useAgents, useStop } from './oversight.tsx'
import { ToolTitle } from './parts.tsx'
import { visibleLine } from './plain.ts'
import { findAgent, stoppingWith } from './ruled.ts'

interface StopDialogProps {
  target: StopTarget
  /** Of the agent or the account. Absent: everything. */
  name: string | undefined
  onClose: () => void
  /** Moves the focus when the dialog is gone. */
  onClosed: () => void
}

/** Says what will be stopped, stops it, and says what was. Loaded on intent. */
export function StopDialog({ target, name, onClose, onClosed }: StopDialogProps) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const { stop } = useStop()
  const others = stoppingWith(useAgents(), target).map((one) => visibleLine(one.name))
  const names = others.length > 0 ? new Intl.ListFormat(locale).format(others) : undefined
  const { data: receipt, isPending, error } = stop
  const done = useRef<HTMLButtonElement>(null)
  const problemId = useId()
  const isDone = receipt !== undefined
  useEffect(() => {
    if (isDone) done.current?.focus()
  }, [isDone])
  const about =
    name === undefined
      ? words.stopEverythingBody
      : 'agent' in target
        ? words.stopAgentBody(name)
        : words.stopAccountBody(name)
  const asked = name === undefined ? words.stopEverythingTitle : words.stopTitle(name)
  const said = name === undefined ? words.stoppedEverything : words.stoppedTitle(name)
  return (
    <Frame busy={isPending} onClose={onClose} onClosed={onClosed}>
      <Title className="latchkey-heading">{isDone ? said : asked}</Title>
      <Description asChild className="latchkey-description">
        <div aria-live="polite">
          {receipt ? (
            <>
              {names !== undefined && <p>{words.receiptWith(names)}</p>}
              <Receipt receipt={receipt} />
            </>
          ) : isPending ? (
            words.stopping
          ) : (
            <>
              <p>{about}</p>
              {name !== undefined && names !== undefined && <p>{words.stopsWith(name, names)}</p>}
              <ul className="latchkey-cautions">
                {Object.values(words.stopEnds).map((sentence) => (
                  <li key={sentence}>{sentence}</li>
                ))}
                <li>{words.stopReturns}</li>
              </ul>
            </>
          )}
        </div>
      </Description>
      <Problem id={problemId} sentence={error ? sentenceOf(words, error) : undefined} />
      <div className="latchkey-actions">
        {isDone ? (
          <Button ref={done} onClick={onClose}>
            {words.done}
          </Button>
        ) : (
          <>
            <Button aria-disabled={isPending || undefined} onClick={() => isPending || onClose()}>
              {words.cancel}
            </Button>
            <Button
              kind="danger"
              aria-disabled={isPending || undefined}
              onClick={() => isPending || stop.mutate(target)}
            >
              {name === undefined ? words.stopEverything : words.stopShort}
            </Button>
          </>
        )}
      </div>
    </Frame>
  )
}

function Receipt({ receipt: { denied, ended, aborted } }: { receipt: StopReceipt }) {
  const words = useAgentMessages()
  const agents = useAgents()
  if (denied + ended + aborted.length === 0) return <p>{words.receiptNothing}</p>
  return (
    <>
      {denied > 0 && <p>{words.receiptDenied(denied)}</p>}
      {ended > 0 && <p>{words.receiptEnded(ended)}</p>}
      {aborted.length > 0 && (
        <>
          <p>{words.receiptAborted}</p>
          <ul className="latchkey-aborted">
            {aborted.map(({ agent, account, tool, effect }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes, and the same call may be in it twice.
              <li key={`${agent} ${account} ${tool} ${index}`}>
                <ToolTitle title={findAgent(agents, agent)?.tools.find(({ name }) => name === tool)?.title ?? tool} />
                {effect !== 'read' && (
                  <span className="latchkey-status" data-decision="ask">
                    {words.mayHave}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}
