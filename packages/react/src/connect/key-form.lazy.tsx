'use client'
import { type ApiKeyProvider, type ConnectOutcome, type KeyField, type KeyFields, LatchkeyError } from '@latchkey/core'
import { keyScheme, readKeyFile, safeUrl } from '@latchkey/core/internal'
import { useMutation } from '@tanstack/react-query'
import {
  type ClipboardEvent,
  type DragEvent,
  type FocusEvent,
  type FormEvent,
  type KeyboardEvent,
  type RefObject,
  type SyntheticEvent,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react'
import { useKit } from '../hooks.ts'
import type { Messages } from '../messages/messages.ts'
import { Button } from '../ui/button.tsx'
import { Problem, verbatim } from '../ui/field.tsx'
import { errorSentence, useMessages } from '../use-messages.ts'

const LONGEST = 8 * 1024
const UNPRINTABLE = /[^\x20-\x7e]/

/** Props of `ApiKeyForm`. */
export interface ApiKeyFormProps {
  /** The provider's data, such as `kaggle()`. */
  provider: ApiKeyProvider
  /**
   * The account whose key is replaced: the one it has stays in use until the new one is verified. A key that the
   * provider cannot check does not take the place of one whose owner is known.
   *
   * @default a new account
   */
  accountId?: string
  /** The form's id, for a button that controls it. */
  id?: string
  /** For a form that opens at a click: its first field takes the focus. */
  focusOnMount?: boolean
  /** Called when the key was taken and its account is connected. */
  onConnected?: (outcome: Extract<ConnectOutcome, { status: 'connected' }>) => void
  /** Called on Escape and Cancel. Without it there is no Cancel. */
  onCancel?: () => void
}

/** What is wrong with a form's input: a sentence, and the field it is about. */
interface Refusal {
  field: string
  sentence: string
}

/**
 * Keys that were handed to verification, until they are connected with: by the form's node, because a ref or state
 * would put them into React's tree, where developer tools show them.
 */
const submitted = new WeakMap<HTMLFormElement, KeyFields>()

/** Asks the provider about the key in a form. Throws only if the key was refused. */
function useVerify(form: RefObject<HTMLFormElement | null>, provider: ApiKeyProvider) {
  const { client } = useKit()
  const { mutateAsync } = useMutation({
    // No variables and no fields in the result: the mutation cache may be watched, logged or persisted by the app.
    mutationFn: async () => {
      const fields = readFields(form.current!, provider)
      submitted.set(form.current!, fields)
      return (await client.verifyKey(provider.id, fields)).status
    },
    networkMode: 'always',
    retry: false,
    gcTime: 0,
    throwOnError: false,
  })
  return () =>
    mutateAsync().catch((error: unknown) => {
      if (error instanceof LatchkeyError && error.code === 'invalid_token') throw error
      // The provider could not check the key: that is no reason to refuse a first one.
      return 'unchecked' as const
    })
}

/** The provider with what its form says in the reader's language. */
function inWords(messages: Messages, provider: ApiKeyProvider): ApiKeyProvider {
  const { fields, cautions = provider.cautions } = messages.providers[provider.id] ?? {}
  return { ...provider, cautions, fields: provider.fields.map((field) => ({ ...field, ...fields?.[field.name] })) }
}

/** The form itself; see {@link ApiKeyFormProps}. */
export function KeyForm({ provider: given, accountId, id, focusOnMount, onConnected, onCancel }: ApiKeyFormProps) {
  const { client } = useKit()
  const messages = useMessages()
  const provider = inWords(messages, given)
  // As it was when the form was opened: what becomes of it meanwhile, its card shows.
  const [account] = useState(() => client.getSnapshot().accounts[accountId ?? ''])
  const form = useRef<HTMLFormElement>(null)
  const baseId = useId()
  const [needed, setNeeded] = useState(() => fieldsNeeded(provider, {}))
  const [problem, setProblem] = useState<Refusal>()
  const [busy, setBusy] = useState(false)
  const [dropping, setDropping] = useState(false)
  /** The field whose text is to be seen. */
  const [revealed, setRevealed] = useState<string>()
  const primary = provider.fields[0]?.name ?? ''
  const json = provider.fields.find(({ type }) => type === 'multiline')
  const takesFiles = provider.file !== undefined || json !== undefined
  const rotates = account && account.status !== 'needs-reconnect'

  const verify = useVerify(form, provider)
  useEffect(() => {
    if (focusOnMount) control(form.current, primary)?.focus()
  }, [focusOnMount, primary])

  const refuse = (next: Refusal) => {
    setProblem(next)
    control(form.current, next.field)?.focus()
  }
  const fill = (fields: KeyFields) => {
    for (const [field, value] of Object.entries(fields)) {
      const node = control(form.current, field)
      if (node) node.value = value
    }
    setProblem(undefined)
    setNeeded(fieldsNeeded(provider, fields))
    form.current?.querySelector<HTMLButtonElement>('[type=submit]')?.focus()
  }
  const fillFromFile = (text: string) => {
    const fields = provider.file
      ? readKeyFile(provider, text)
      : json && oneLine(text) !== undefined && { [json.name]: text }
    if (fields) fill(fields)
    else if (provider.file) refuse({ field: primary, sentence: messages.keyFileUnreadable(provider.file.name) })
    else if (json) refuse({ field: json.name, sentence: messages.fieldJson(json.label) })
  }
  // A file that is too long for a key is not read.
  const takeFile = async (file: File) => fillFromFile(file.size > LONGEST ? '' : await file.text())
  /** Takes a credential file that was pasted or dropped, itself or its text; false for what is none. */
  const take = (event: SyntheticEvent, file: File | undefined, asText: string) => {
    if (!takesFiles || !(file || asText.startsWith('{'))) return false
    event.preventDefault()
    if (file) void takeFile(file)
    else fillFromFile(asText)
    return true
  }

  const onPaste = (event: ClipboardEvent<HTMLFormElement>) => {
    const text = event.clipboardData.getData('text').trim()
    if (take(event, event.clipboardData.files[0], provider.file ? text : '')) return
    const field = provider.fields.find(({ name }) => name === (event.target as Control).name)
    if (!field || field.type === 'multiline' || !/\p{Cc}/u.test(text)) return
    // An input would drop line breaks without a word, and two lines would become one wrong key.
    event.preventDefault()
    refuse({ field: field.name, sentence: messages.keyUnprintable(field.label) })
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
    setRevealed(undefined)
    const found = findProblem(provider, readFields(node, provider), messages)
    if (found) return refuse(found)
    setProblem(undefined)
    setBusy(true)
    try {
      const verified = (await verify()) === 'verified'
      const fields = submitted.get(node) ?? readFields(node, provider)
      // Closed while the key was checked: that was a no.
      if (form.current !== node) return
      // A key of who knows whom does not take the place of a known person's. A vault's server checks for itself.
      if (account?.subject && !verified && client.getSnapshot().custody !== 'vault')
        return refuse({ field: primary, sentence: messages.rotateUnchecked(provider.name) })
      const result = await (accountId
        ? client.connectKey(provider.id, fields, { accountId })
        : client.connectKey(provider.id, fields))
      if (result.status !== 'connected') return
      node.reset()
      setNeeded(fieldsNeeded(provider, {}))
      onConnected?.(result)
    } catch (error) {
      const known = error instanceof LatchkeyError ? error : new LatchkeyError('misuse', messages.keyFailed)
      refuse({ field: primary, sentence: errorSentence(messages, known, provider.name) })
    } finally {
      submitted.delete(node)
      setBusy(false)
    }
  }

  return (
    <form
      ref={form}
      id={id}
      className="latchkey-key-form"
      aria-label={rotates ? messages.rotateForm(provider.name, account.label) : messages.keyForm(provider.name)}
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
        if (!takesFiles) return
        event.preventDefault()
        setDropping(true)
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={(event: DragEvent) => {
        setDropping(false)
        take(event, event.dataTransfer.files[0], event.dataTransfer.getData('text').trim())
      }}
      onInput={onInput}
      onPaste={onPaste}
      // A secret is hidden again when the focus leaves its field, or the window.
      onBlur={({ target, relatedTarget }: FocusEvent) => {
        const left = target.closest('.latchkey-control')
        if (left && !left.contains(relatedTarget)) setRevealed(undefined)
      }}
    >
      {rotates && <p className="latchkey-hint">{messages.rotateHint(account.label)}</p>}
      {provider.fields.map((field) => (
        <Field
          key={field.name}
          provider={provider}
          field={field}
          baseId={baseId}
          hidden={!needed.includes(field.name)}
          problem={problem?.field === field.name ? problem.sentence : undefined}
          shown={revealed === field.name}
          busy={busy}
          onFile={takeFile}
          onReveal={(shown) => setRevealed(shown ? field.name : undefined)}
        />
      ))}
      {provider.cautions.length > 0 && (
        <ul id={`${baseId}-cautions`} className="latchkey-cautions">
          {provider.cautions.map((caution) => (
            <li key={caution}>{caution}</li>
          ))}
        </ul>
      )}
      <div className="latchkey-actions">
        <Button type="submit" kind="primary" aria-disabled={busy || undefined}>
          {busy && <span className="latchkey-spinner" aria-hidden="true" />}
          {busy ? messages.checking : rotates ? messages.rotateShort : messages.connectShort}
        </Button>
        {onCancel && (
          <Button kind="quiet" onClick={onCancel}>
            {messages.cancelShort}
          </Button>
        )}
      </div>
    </form>
  )
}

interface FieldProps {
  provider: ApiKeyProvider
  field: KeyField
  baseId: string
  /** The key that is typed does not call for it. */
  hidden: boolean
  problem: string | undefined
  /** Its text is to be seen, though it is secret. */
  shown: boolean
  busy: boolean
  onFile: (file: File) => void
  onReveal: (shown: boolean) => void
}

/** One field: its label, what it is typed into, and what there is to say about it. */
function Field(props: FieldProps) {
  const { provider, field, baseId, hidden, problem, shown, busy, onFile, onReveal } = props
  const { name, label, type, help, secret, placeholder } = field
  // The key itself: the way to get one, and to choose its file, are beside it.
  const first = field === provider.fields[0]
  const messages = useMessages()
  const id = `${baseId}-${name}`
  const fileHint = first && provider.file ? messages.keyFileHint(provider.file.name) : undefined
  const hint = [help, fileHint ?? (type === 'multiline' && messages.fieldJsonHint)].filter(Boolean).join(' ')
  const notes = [
    problem && `${baseId}-error`,
    hint && `${id}-help`,
    first && provider.cautions.length > 0 && `${baseId}-cautions`,
  ]
  const shared = {
    id,
    name,
    autoComplete: 'off',
    'aria-invalid': problem ? true : undefined,
    'aria-describedby': notes.filter(Boolean).join(' ') || undefined,
  }
  const typed = {
    ...shared,
    ...verbatim,
    placeholder,
    'data-1p-ignore': true,
    'data-lpignore': 'true',
    'data-masked': (secret && !shown) || undefined,
    readOnly: busy,
  }
  return (
    <div className="latchkey-field" hidden={hidden}>
      <label id={`${id}-label`} htmlFor={id}>
        {label}
      </label>
      {first && (
        <a className="latchkey-link" href={provider.keyUrl} target="_blank" rel="noopener noreferrer">
          {messages.getApiKey}
          <svg viewBox="0 0 12 12" aria-hidden="true">
            <path d="M4 2.5h5.5V8M9.2 2.8 2.5 9.5" fill="none" stroke="currentColor" strokeWidth="1.4" />
          </svg>
        </a>
      )}
      <div className="latchkey-control" data-secret={secret}>
        {type === 'select' ? (
          <select {...shared} defaultValue="" disabled={busy}>
            <option value="" disabled>
              {placeholder ?? messages.selectPrompt}
            </option>
            {field.options?.map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
          </select>
        ) : type === 'multiline' ? (
          <textarea {...typed} rows={4} />
        ) : (
          <input
            {...typed}
            type={secret && !shown ? 'password' : 'text'}
            inputMode={type === 'url' ? 'url' : undefined}
          />
        )}
        {secret && <Reveal id={id} shown={shown} onReveal={onReveal} />}
      </div>
      <Problem id={`${baseId}-error`} sentence={problem} />
      {hint && (
        <p id={`${id}-help`} className="latchkey-hint">
          {hint}
        </p>
      )}
      {(fileHint || (type === 'multiline' && !provider.file)) && (
        <FileButton
          label={messages.chooseFile(provider.file?.name ?? messages.fileShort)}
          disabled={busy}
          onFile={onFile}
        />
      )}
    </div>
  )
}

/** Shows and hides what a secret field holds. */
function Reveal({ id, shown, onReveal }: { id: string; shown: boolean; onReveal: (shown: boolean) => void }) {
  const messages = useMessages()
  return (
    <button
      type="button"
      className="latchkey-reveal"
      aria-label={messages.reveal}
      // Not a part of its name, which would be found where the field is looked for.
      aria-describedby={`${id}-label`}
      aria-pressed={shown}
      aria-controls={id}
      // The field keeps the focus, so that leaving it is noticed.
      onMouseDown={(event) => event.preventDefault()}
      onClick={({ detail, currentTarget }) => {
        onReveal(!shown)
        const field = currentTarget.previousElementSibling
        if (detail > 0 && field instanceof HTMLElement) field.focus()
      }}
    >
      <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.3" aria-hidden="true">
        <path d="M1.2 8C2.6 5.2 5.1 3.6 8 3.6S13.4 5.2 14.8 8c-1.4 2.8-3.9 4.4-6.8 4.4S2.6 10.8 1.2 8Z" />
        <circle cx="8" cy="8" r="2.1" />
        {shown && <path d="m2.6 13.4 10.8-10.8" />}
      </svg>
    </button>
  )
}

/** For those who can neither drop nor copy a file: phones, keyboards. */
function FileButton(props: { label: string; disabled: boolean; onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <div className="latchkey-file">
      <Button
        size="small"
        aria-disabled={props.disabled || undefined}
        onClick={() => props.disabled || input.current?.click()}
      >
        {props.label}
      </Button>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        aria-label={props.label}
        tabIndex={-1}
        hidden
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0]
          // The same file can be chosen again once it was corrected.
          currentTarget.value = ''
          if (file) props.onFile(file)
        }}
      />
    </div>
  )
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement

/** A form's input for a field: its elements are all named by its own fields. */
const control = (form: HTMLFormElement | null, field: string) => form?.elements.namedItem(field) as Control | null

function readFields(form: HTMLFormElement, provider: ApiKeyProvider): KeyFields {
  const typed: KeyFields = {}
  for (const { name, type } of provider.fields) {
    const value = control(form, name)?.value.trim() ?? ''
    typed[name] = type === 'multiline' ? (oneLine(value) ?? value) : value
  }
  // A field that this kind of key does not use may still hold what was typed before.
  const used = fieldsNeeded(provider, typed)
  return Object.fromEntries(Object.entries(typed).filter(([name]) => used.includes(name)))
}

/** JSON without its line breaks, because a key is used in one line; undefined for what is no object in JSON. */
function oneLine(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? JSON.stringify(value) : undefined
  } catch {
    return undefined
  }
}

/** Names of the fields that the key in them calls for: the primary one, and those of its scheme. */
function fieldsNeeded(provider: ApiKeyProvider, fields: KeyFields): readonly string[] {
  // With one kind of key there is nothing to tell apart by typing: all its fields are there from the start.
  const scheme = provider.schemes.length === 1 ? provider.schemes[0] : keyScheme(provider, fields)
  return scheme?.fields ?? provider.fields.slice(0, 1).map((field) => field.name)
}

function findProblem(provider: ApiKeyProvider, fields: KeyFields, messages: Messages): Refusal | undefined {
  for (const { name, label, type, pattern } of provider.fields) {
    const value = fields[name]
    if (value === undefined) continue
    const refuse = (sentence: string) => ({ field: name, sentence })
    if (!value) return refuse(messages.keyMissing(label))
    if (value.length > LONGEST) return refuse(messages.keyTooLong(label))
    if (type === 'multiline' && oneLine(value) === undefined) return refuse(messages.fieldJson(label))
    if (UNPRINTABLE.test(value)) return refuse(messages.keyUnprintable(label))
    if (type === 'url' && !safeUrl(value)) return refuse(messages.fieldUrl(label))
    if (pattern && !new RegExp(`^(?:${pattern})$`).test(value)) return refuse(messages.fieldPattern(label))
  }
  return undefined
}
