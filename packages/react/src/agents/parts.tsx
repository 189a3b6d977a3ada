'use client'
import type { Decision, Effect } from '@latchkey/core/agents'
import { type ReactNode, useId, useState } from 'react'
import { SmallButton } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { useAgentMessages } from './oversight.tsx'
import { folded, shownTitle, visibleLine } from './plain.ts'

/** A level of a heading. */
export type Level = 2 | 3 | 4 | 5 | 6

/** The title of a tool, in a box of its own: its words are those of a stranger, and must not look like ours. */
export function ToolTitle({ title, id }: { title: string; id?: string }) {
  return (
    <bdi id={id} className="latchkey-quote" data-slot="tool">
      {shownTitle(title)}
    </bdi>
  )
}

/** A name that somebody gave, which does not change the words around it. */
export const Given = ({ name }: { name: string }) => <bdi>{visibleLine(name)}</bdi>

/** What becomes of a call, in a word after a shape. */
export function DecisionWord({ decision }: { decision: Decision }) {
  const { decisions } = useAgentMessages()
  return (
    <span className="latchkey-status" data-slot="decision" data-decision={decision}>
      {decisions[decision]}
    </span>
  )
}

/** What a call does, in a word after a shape. */
export function EffectWord({ effect }: { effect: Effect }) {
  const { effects } = useAgentMessages()
  return (
    <span className="latchkey-status" data-slot="effect" data-effect={effect}>
      {effects[effect]}
    </span>
  )
}

interface SegmentsProps<Value extends string> {
  /** Id of the element that says what is chosen. */
  labelledBy: string
  /** Absent: none is chosen. */
  value: Value | undefined
  options: readonly (readonly [value: Value, word: string])[]
  onChange: (value: Value) => void
}

/** One of a few, beside each other. Arrow keys choose, as they do among the browser's own radio buttons. */
export function Segments<Value extends string>(props: SegmentsProps<Value>) {
  const { labelledBy, value, options, onChange } = props
  const name = useId()
  return (
    <div className="latchkey-segments" role="radiogroup" aria-labelledby={labelledBy}>
      {options.map(([option, word]) => (
        <label key={option}>
          <input
            type="radio"
            className="latchkey-unseen"
            name={name}
            checked={option === value}
            onChange={() => onChange(option)}
          />
          <span>{word}</span>
        </label>
      ))}
    </div>
  )
}

/** A text that is folded when it is long. */
export function Folded({ text }: { text: string }) {
  const words = useAgentMessages()
  const [open, setOpen] = useState(false)
  const { start, isAll } = folded(text)
  return (
    <>
      <bdi className="latchkey-value">{open ? text : start}</bdi>
      {!isAll && (
        <button type="button" className="latchkey-link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? words.showLess : words.showAll}
        </button>
      )}
    </>
  )
}

/** Stands where something will be that is on its way: a picture, and a word for those who listen. */
export function Bones() {
  const { status } = useFirstMessages()
  return (
    <div className="latchkey-bones" data-status="loading">
      <span className="latchkey-bone" />
      <span className="latchkey-bone" />
      <span className="latchkey-unseen">{status.loading}</span>
    </div>
  )
}

/** Stands where a card will be whose code or accounts are on their way. */
export const BoneCard = () => (
  <div {...useLanguage()} className="latchkey latchkey-card" aria-busy="true">
    <Bones />
  </div>
)

/** Stands where something would be that could not be loaded. */
export function Failed({ onRetry }: { onRetry: () => void }) {
  const words = useAgentMessages()
  return (
    <Notice tone="error" actions={<SmallButton label={words.retry} onPress={onRetry} />}>
      {words.loadFailed}
    </Notice>
  )
}

interface DisclosureProps {
  label: string
  /** Its accessible name, which has the label in it. @default the label */
  name?: string
  children: ReactNode
}

/** More, below a button. */
export function Disclosure({ label, name, children }: DisclosureProps) {
  const [open, setOpen] = useState(false)
  const id = useId()
  return (
    <div className="latchkey-disclosure">
      <button
        type="button"
        className="latchkey-button"
        data-kind="quiet"
        data-size="small"
        aria-label={name}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && <div id={id}>{children}</div>}
    </div>
  )
}
