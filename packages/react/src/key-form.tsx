'use client'
import { type ApiKeyProvider, type KeyFields, keyScheme, LatchkeyError, readKeyFile } from '@latchkey/core'
import { useMutation } from '@tanstack/react-query'
import {
  type ClipboardEvent,
  type DragEvent,
  type FormEvent,
  type KeyboardEvent,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react'
import type { ApiKeyFormProps } from './api-key-form.tsx'
import { useKit } from './context.tsx'
import { neverRejecting } from './hooks.ts'
import { errorSentence, type Messages, useMessages } from './messages.ts'

const LONGEST = 8 * 1024
const UNPRINTABLE = /[^\x20-\x7e]/

/** What is wrong with a form's input: a sentence, and the field it is about. */
interface Problem {
  field: string
  sentence: string
}

/**
 * Keys that were handed to verification, until they are connected with: by the form's node, because a ref or state
 * would put them into React's tree, where developer tools show them.
 */
const submitted = new WeakMap<HTMLFormElement, KeyFields>()

/** The form itself; see {@link ApiKeyFormProps}. */
export function KeyForm({ provider, accountId, id, focusOnMount, onConnected, onCancel }: ApiKeyFormProps) {
  const { client } = useKit()
  const messages = useMessages()
  const form = useRef<HTMLFormElement>(null)
  const baseId = useId()
  const [needed, setNeeded] = useState(() => fieldsNeeded(provider, {}))
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  const [dropping, setDropping] = useState(false)
  const primary = provider.fields[0]?.name ?? ''

  const verify = useMutation({
    // No variables and no fields in the result: the mutation cache may be watched, logged or persisted by the app.
    mutationFn: async () => {
      if (!form.current) throw new LatchkeyError('misuse', 'The form is gone.')
      const fields = readFields(form.current, provider)
      submitted.set(form.current, fields)
      return (await client.verifyKey(provider.id, fields)).status
    },
    networkMode: 'always',
    retry: false,
    gcTime: 0,
    throwOnError: false,
  })

  useEffect(() => {
    if (focusOnMount) input(form.current, primary)?.focus()
  }, [focusOnMount, primary])

  const refuse = (next: Problem) => {
    setProblem(next)
    input(form.current, next.field)?.focus()
  }
  const fill = (fields: KeyFields) => {
    for (const [field, value] of Object.entries(fields)) {
      const node = input(form.current, field)
      if (node) node.value = value
    }
    setProblem(undefined)
    setNeeded(fieldsNeeded(provider, fields))
    form.current?.querySelector<HTMLButtonElement>('[type=submit]')?.focus()
  }
  const fillFromFile = (text: string) => {
    const fields = readKeyFile(provider, text)
    if (fields) fill(fields)
    else refuse({ field: primary, sentence: messages.keyFileUnreadable(provider.file?.name ?? '') })
  }
  const takeFile = async (file: File) => {
    if (file.size > LONGEST) refuse({ field: primary, sentence: messages.keyFileUnreadable(provider.file?.name ?? '') })
    else fillFromFile(await file.text())
  }

  const onPaste = (event: ClipboardEvent<HTMLInputElement>, field: string, label: string) => {
    const file = event.clipboardData.files[0]
    const text = event.clipboardData.getData('text').trim()
    if (provider.file && (file || text.startsWith('{'))) {
      event.preventDefault()
      if (file) void takeFile(file)
      else fillFromFile(text)
    } else if (/\p{Cc}/u.test(text)) {
      // An input would drop line breaks without a word, and two lines would become one wrong key.
      event.preventDefault()
      refuse({ field, sentence: messages.keyUnprintable(label) })
    }
  }
  const onDrop = (event: DragEvent<HTMLFormElement>) => {
    setDropping(false)
    if (!provider.file) return
    const file = event.dataTransfer.files[0]
    const text = event.dataTransfer.getData('text').trim()
    if (!file && !text.startsWith('{')) return
    event.preventDefault()
    if (file) void takeFile(file)
    else fillFromFile(text)
  }
  const onInput = () => {
    if (!form.current) return
    setProblem(undefined)
    const fields = readFields(form.current, provider)
    // A file can also arrive without a paste event: from autofill or an input method.
    const fromFile = readKeyFile(provider, fields[primary] ?? '')
    if (fromFile) fill(fromFile)
    else setNeeded(fieldsNeeded(provider, fields))
  }

  const submit = async () => {
    const node = form.current
    if (!node || busy) return
    const found = findProblem(provider, readFields(node, provider), messages)
    if (found) return refuse(found)
    setProblem(undefined)
    setBusy(true)
    try {
      await verify.mutateAsync()
    } catch (error) {
      if (error instanceof LatchkeyError && error.code === 'invalid_token') {
        submitted.delete(node)
        setBusy(false)
        return refuse({ field: primary, sentence: errorSentence(messages, error, provider.name) })
      }
      // Nobody could say whether the key is good: that is no reason to refuse it.
    }
    const fields = submitted.get(node) ?? readFields(node, provider)
    submitted.delete(node)
    // Closed while the key was checked: that was a no.
    if (form.current !== node) return
    const result = await neverRejecting(
      () =>
        accountId ? client.reconnect(accountId, { apiKey: fields }) : client.connect(provider.id, { apiKey: fields }),
      provider.id,
    )
    setBusy(false)
    if (result.status === 'connected') {
      node.reset()
      setNeeded(fieldsNeeded(provider, {}))
      onConnected?.(result)
    } else if (result.status === 'failed') {
      refuse({ field: primary, sentence: errorSentence(messages, result.error, provider.name) })
    }
  }

  const errorId = `${baseId}-error`
  const hintId = `${baseId}-hint`
  const fileHintId = provider.file && hintId
  const cautionsId = `${baseId}-cautions`
  return (
    <form
      ref={form}
      id={id}
      className="latchkey-key-form"
      aria-label={messages.keyForm(provider.name)}
      data-dropping={dropping || undefined}
      noValidate
      autoComplete="off"
      onSubmit={(event: FormEvent) => {
        event.preventDefault()
        void submit()
      }}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key !== 'Escape' || !onCancel) return
        // The Escape is used up here: a dialog around the panel must not close too.
        event.stopPropagation()
        onCancel()
      }}
      onDragOver={(event: DragEvent) => {
        if (!provider.file) return
        event.preventDefault()
        setDropping(true)
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={onDrop}
    >
      {provider.fields.map((field, index) => (
        <div key={field.name} className="latchkey-field" hidden={!needed.includes(field.name)}>
          <label htmlFor={`${baseId}-${field.name}`}>{field.label}</label>
          {index === 0 && (
            <a className="latchkey-link" href={provider.keyUrl} target="_blank" rel="noopener noreferrer">
              {messages.getApiKey}
              <svg viewBox="0 0 12 12" aria-hidden="true">
                <path d="M4 2.5h5.5V8M9.2 2.8 2.5 9.5" fill="none" stroke="currentColor" strokeWidth="1.4" />
              </svg>
            </a>
          )}
          <input
            id={`${baseId}-${field.name}`}
            name={field.name}
            type={field.secret ? 'password' : 'text'}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-1p-ignore
            data-lpignore="true"
            readOnly={busy}
            aria-invalid={problem?.field === field.name || undefined}
            aria-describedby={
              [problem?.field === field.name && errorId, index === 0 && fileHintId, index === 0 && cautionsId]
                .filter(Boolean)
                .join(' ') || undefined
            }
            onInput={onInput}
            onPaste={(event) => onPaste(event, field.name, field.label)}
          />
          {problem?.field === field.name && (
            <p id={errorId} className="latchkey-problem" role="alert">
              {problem.sentence}
            </p>
          )}
          {index === 0 && provider.file && (
            <p id={hintId} className="latchkey-hint">
              {messages.keyFileHint(provider.file.name)}
            </p>
          )}
        </div>
      ))}
      {provider.cautions.length > 0 && (
        <ul id={cautionsId} className="latchkey-cautions">
          {provider.cautions.map((caution) => (
            <li key={caution}>{caution}</li>
          ))}
        </ul>
      )}
      <div className="latchkey-actions">
        <button type="submit" className="latchkey-button" data-kind="primary" aria-disabled={busy || undefined}>
          {busy && <span className="latchkey-spinner" aria-hidden="true" />}
          {busy ? messages.checking : messages.connectShort}
        </button>
        {onCancel && (
          <button type="button" className="latchkey-button" data-kind="quiet" onClick={onCancel}>
            {messages.cancelShort}
          </button>
        )}
      </div>
    </form>
  )
}

function input(form: HTMLFormElement | null, field: string): HTMLInputElement | null {
  const node = form?.elements.namedItem(field)
  return node instanceof HTMLInputElement ? node : null
}

function readFields(form: HTMLFormElement, provider: ApiKeyProvider): KeyFields {
  const typed: KeyFields = {}
  for (const { name } of provider.fields) typed[name] = input(form, name)?.value.trim() ?? ''
  // A field that this kind of key does not use may still hold what was typed before.
  const used = fieldsNeeded(provider, typed)
  return Object.fromEntries(Object.entries(typed).filter(([name]) => used.includes(name)))
}

/** Names of the fields that the key in them calls for: the primary one, and those of its scheme. */
function fieldsNeeded(provider: ApiKeyProvider, fields: KeyFields): readonly string[] {
  return keyScheme(provider, fields)?.fields ?? provider.fields.slice(0, 1).map((field) => field.name)
}

function findProblem(provider: ApiKeyProvider, fields: KeyFields, messages: Messages): Problem | undefined {
  for (const { name, label } of provider.fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (!value) return { field: name, sentence: messages.keyMissing(label) }
    if (value.length > LONGEST) return { field: name, sentence: messages.keyTooLong(label) }
    if (UNPRINTABLE.test(value)) return { field: name, sentence: messages.keyUnprintable(label) }
  }
  return undefined
}
