import { AccountsMenu } from '@latchkey/react'
import {
  type FormEvent,
  type KeyboardEvent,
  type MouseEvent,
  type Ref,
  useId,
  useImperativeHandle,
  useState,
} from 'react'
import { AGENT_ID } from '../agent.ts'

/** The message that is not sent yet, kept while a sign-in leaves the page. */
export interface Draft {
  text: string
  restore: (text: string) => void
}

interface ComposerProps {
  draft: Ref<Draft>
  /** Shows the panel with all accounts. */
  onManage: () => void
  suggestions: string[]
  busy: boolean
  onSend: (text: string) => void
  onStop: () => void
}

/** The message box. Enter sends, also while an answer is coming; Shift+Enter starts a new line. */
export function Composer({ draft, onManage, suggestions, busy, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState('')
  const id = useId()
  useImperativeHandle(draft, () => ({ text, restore: setText }), [text])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!text.trim()) return
    onSend(text.trim())
    setText('')
  }
  const stop = (event: MouseEvent) => {
    event.preventDefault()
    onStop()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // While an input method composes text, as in Japanese, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    event.currentTarget.form?.requestSubmit()
  }
  return (
    <form className="composer" onSubmit={submit}>
      <div className="suggestions">
        {suggestions.map((suggestion) => (
          <button key={suggestion} type="button" className="chip" onClick={() => onSend(suggestion)}>
            {suggestion}
          </button>
        ))}
      </div>
      <div className="entry">
        <label className="unseen" htmlFor={id}>
          Message
        </label>
        <textarea
          id={id}
          rows={1}
          value={text}
          placeholder="Ask the assistant…"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <AccountsMenu agent={AGENT_ID} className="carried" onManage={onManage} />
        {/* One button for both actions, so that it keeps the focus. */}
        <button type="submit" className="send" aria-label={busy ? 'Stop' : 'Send'} onClick={busy ? stop : undefined}>
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
