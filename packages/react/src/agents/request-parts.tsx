'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import { type FormEvent, type KeyboardEvent, useId, useState } from 'react'
import { Button } from '../ui/button.tsx'
import { useAgentMessages } from './oversight.tsx'
import { EffectWord, Folded, ToolTitle } from './parts.tsx'
import { shownArguments, visibleLine } from './plain.ts'

/** Arguments that the person changed. */
export type Edits = Readonly<Record<string, string | number | boolean>>

/** How many arguments are shown before the rest is asked for. */
const MOST = 8

interface FactsProps {
  request: AgentRequest
  edits: Readonly<Record<string, unknown>> | undefined
  /** Only what it is, without its arguments. */
  short?: boolean
}

const isRecord = (args: unknown): args is Record<string, unknown> =>
  typeof args === 'object' && args !== null && !Array.isArray(args)

/** What a call does: the tool and its arguments, as names and values. Nothing of it is markup. */
export function Facts({ request: { tool, args }, edits, short }: FactsProps) {
  const words = useAgentMessages()
  const [all, setAll] = useState(false)
  const entries = short ? [] : shownArguments(isRecord(args) ? { ...args, ...edits } : args)
  const some = all ? entries : entries.slice(0, MOST)
  const isEdited = (name: string | undefined) => name !== undefined && edits && Object.hasOwn(edits, name)
  return (
    <div className="latchkey-facts">
      <div className="latchkey-facts-tool">
        <ToolTitle title={tool.title} />
        <EffectWord effect={tool.effect} />
      </div>
      {some.length > 0 && (
        <dl>
          {some.map(({ name, value }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two names may look the same once they are made visible.
            <div key={index}>
              <dt>
                {name === undefined ? words.value : <bdi>{name}</bdi>}
                {isEdited(name) && <span className="latchkey-tag">{words.edited}</span>}
              </dt>
              <dd>
                <Folded text={value} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      {some.length < entries.length && (
        <button type="button" className="latchkey-link" onClick={() => setAll(true)}>
          {words.moreArguments(entries.length - some.length)}
        </button>
      )}
    </div>
  )
}

/** What an editable argument is: words, a number, or yes and no. Nothing else can be typed. */
const isPlain = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value)

interface EditFormProps {
  request: AgentRequest
  edits: Edits | undefined
  onCancel: () => void
  /** Called with what differs from what was asked. */
  onEdited: (edits: Edits | undefined) => void
}

/** Changes arguments before the answer. What is typed is shown on the card before it is sent. */
export function EditForm({ request: { tool, args }, edits, onCancel, onEdited }: EditFormProps) {
  const words = useAgentMessages()
  const id = useId()
  const asked = isRecord(args) ? args : {}
  const fields = (tool.edit ?? []).filter((name) => Object.hasOwn(asked, name) && isPlain(asked[name]))
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const typed = fields.map((name) => [name, read(form.get(name), asked[name])] as const)
    const changed = typed.filter(([name, value]) => value !== asked[name])
    onEdited(changed.length > 0 ? Object.fromEntries(changed) : undefined)
  }
  return (
    <form ref={intoView} className="latchkey-request-form" onSubmit={submit} onKeyDown={onEscape(onCancel)}>
      <ToolTitle title={tool.title} />
      {fields.map((name, index) => {
        const value = edits?.[name] ?? asked[name]
        const props = {
          id: `${id}${name}`,
          name,
          ref: index === 0 ? focusFirst : undefined,
        }
        return (
          <div key={name} className="latchkey-field">
            <label htmlFor={props.id}>
              <bdi>{visibleLine(name)}</bdi>
            </label>
            <span className="latchkey-control">
              {typeof asked[name] === 'boolean' ? (
                <select {...props} defaultValue={String(value)}>
                  <option>true</option>
                  <option>false</option>
                </select>
              ) : typeof asked[name] === 'number' ? (
                <input {...props} type="number" step="any" required defaultValue={Number(value)} />
              ) : (
                <textarea {...props} dir="auto" rows={rowsOf(String(value))} defaultValue={String(value)} />
              )}
            </span>
          </div>
        )
      })}
      <div className="latchkey-actions">
        <Button onClick={onCancel}>{words.cancel}</Button>
        <Button kind="primary" type="submit">
          {words.useChanges}
        </Button>
      </div>
    </form>
  )
}

/** How many rows a text needs, up to ten. */
const rowsOf = (text: string) =>
  Math.min(
    10,
    text.split('\n').reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / 60)), 0),
  )

/** What was typed, of the type that was asked. */
function read(typed: FormDataEntryValue | null, asked: unknown): string | number | boolean {
  // A form gives line breaks of its own kind.
  const text = String(typed).replaceAll('\r\n', '\n')
  if (typeof asked === 'number') return Number(text)
  return typeof asked === 'boolean' ? text === 'true' : text
}

interface WhyFormProps {
  busy: boolean
  onCancel: () => void
  onDeny: (reason: string) => void
}

/** The answer no, with a reason if the person has one to give. */
export function WhyForm({ busy, onCancel, onDeny }: WhyFormProps) {
  const words = useAgentMessages()
  const id = useId()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    onDeny(String(new FormData(event.currentTarget).get('reason')).trim())
  }
  return (
    <form ref={intoView} className="latchkey-request-form" onSubmit={submit} onKeyDown={onEscape(onCancel)}>
      <div className="latchkey-field">
        <label htmlFor={id}>{words.why}</label>
        <span className="latchkey-control">
          <input
            ref={focusFirst}
            id={id}
            name="reason"
            dir="auto"
            maxLength={500}
            autoComplete="off"
            aria-describedby={`${id}hint`}
          />
        </span>
        <p id={`${id}hint`} className="latchkey-hint">
          {busy ? words.sending : words.whyHint}
        </p>
      </div>
      <div className="latchkey-actions">
        <Button aria-disabled={busy || undefined} onClick={() => busy || onCancel()}>
          {words.cancel}
        </Button>
        <Button kind="primary" type="submit" aria-disabled={busy || undefined}>
          {words.deny}
        </Button>
      </div>
    </form>
  )
}

/** A form that a click opened begins with its first field, behind what is in it. */
function focusFirst(node: HTMLElement | null) {
  if (node instanceof HTMLTextAreaElement) node.setSelectionRange(node.value.length, node.value.length)
  node?.focus()
}

/** What comes into a card is seen whole, in a chat that scrolls too. */
export const intoView = (node: HTMLElement | null | undefined) => node?.scrollIntoView?.({ block: 'nearest' })

const onEscape = (close: () => void) => (event: KeyboardEvent) => {
  if (event.key === 'Escape') close()
}
