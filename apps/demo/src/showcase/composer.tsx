import {
  type FormEvent,
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  type Ref,
  useId,
  useImperativeHandle,
  useRef,
  useState,
} from 'react'
import { AGENT_ID } from '../agent.ts'

/** What a person can ask first: one for each kind of account. */
export const SUGGESTIONS = ['List my repositories', 'Search my mail for invoices', 'List my datasets']

/** What is asked of an agent first. */
export const suggestionsOf = (agent: string) =>
  agent === AGENT_ID ? SUGGESTIONS : ['List my drafts', 'Search my mail for invoices']

/** The message that is not sent yet, kept while a sign-in leaves the page. */
export interface Draft {
  text: string
  restore: (text: string) => void
  focus: () => void
}

interface ComposerProps {
  draft?: Ref<Draft>
  suggestions: string[]
  /** Nothing can be sent yet. */
  disabled?: boolean
  /** An answer is coming. */
  busy?: boolean
  onSend?: (text: string) => void
  onStop?: () => void
  placeholder?: string
  /** Beside the message. */
  children?: ReactNode
}

/** The message box. Enter sends, also while an answer is coming; Shift+Enter starts a new line. */
export function Composer({ draft, suggestions, disabled, busy, onSend, onStop, placeholder, children }: ComposerProps) {
  const [text, setText] = useState('')
  const id = useId()
  const box = useRef<HTMLTextAreaElement>(null)
  useImperativeHandle(draft, () => ({ text, restore: setText, focus: () => box.current?.focus() }), [text])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!text.trim()) return
    onSend?.(text.trim())
    setText('')
  }
  const stop = (event: MouseEvent) => {
    event.preventDefault()
    onStop?.()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // While an input method composes text, as in Japanese, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    event.currentTarget.form?.requestSubmit()
  }
  return (
    <form className="composer" onSubmit={submit}>
      {suggestions.length > 0 && (
        <div className="chips">
          {suggestions.map((suggestion) => (
            <button
              key={suggestion}
              type="button"
              className="chip"
              disabled={disabled}
              onClick={() => {
                onSend?.(suggestion)
                // The suggestions disappear, and the focus with them.
                box.current?.focus()
              }}
            >
              {suggestion}
            </button>
          ))}
        </div>
      )}
      <div className="entry">
        <label className="unseen" htmlFor={id}>
          Message
        </label>
        <textarea
          ref={box}
          id={id}
          rows={1}
          value={text}
          disabled={disabled}
          placeholder={placeholder}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {children}
        {/* One button for both actions, so that it keeps the focus. */}
        <button
          type="submit"
          className="send"
          aria-label={busy ? 'Stop' : 'Send'}
          disabled={disabled}
          onClick={busy ? stop : undefined}
        >
          <svg className="line-icon" viewBox="0 0 24 24" aria-hidden="true">
            {busy ? (
              <rect x="8" y="8" width="8" height="8" rx="1.5" fill="currentColor" />
            ) : (
              <path d="M12 19V5.5M6 11l6-6 6 6" />
            )}
          </svg>
        </button>
      </div>
    </form>
  )
}
