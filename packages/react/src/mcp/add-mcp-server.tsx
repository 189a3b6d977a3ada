'use client'
import { LatchkeyError, type Provider } from '@latchkey/core'
import { bindingChange } from '@latchkey/core/internal'
import { type McpServerEntry, type McpServers, mcpServers } from '@latchkey/core/mcp'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { useLatchkey } from '../hooks.ts'
import { Button, classes } from '../ui/button.tsx'
import { Problem, verbatim } from '../ui/field.tsx'
import { useMessages } from '../use-messages.ts'

/** Props of {@link AddMcpServer}. */
export interface AddMcpServerProps {
  /** What the person agreed to. Add `providers` to those of the page, and hand `servers` to the agent. */
  onAdd: (added: McpServers) => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/** What is asked about a server. Its headers and environment may hold secrets, so they stay in the text field. */
interface Asked extends Pick<McpServerEntry, 'id' | 'name' | 'kind'> {
  /** Its host, whatever name it gives itself, or its program. */
  place: string | undefined
  /** Names of the accounts that it is given, by references such as `${GITHUB_TOKEN}`. */
  accounts: readonly string[]
}

/**
 * Adds MCP servers: by a URL, or by the `mcpServers` JSON of an agent. It shows the hosts that would be asked, and asks
 * none before the person agrees. A server whose name a provider or another server's account has is refused.
 */
export function AddMcpServer({ onAdd, className }: AddMcpServerProps) {
  const client = useLatchkey()
  const messages = useMessages()
  const baseId = useId()
  const field = useRef<HTMLTextAreaElement>(null)
  const question = useRef<HTMLParagraphElement>(null)
  const [empty, setEmpty] = useState(true)
  const [error, setError] = useState<string>()
  const [asked, setAsked] = useState<readonly Asked[]>()
  // Also by the keyboard: what had the focus is gone.
  useEffect(() => {
    if (asked) question.current?.focus()
  }, [asked])

  const back = () => {
    setAsked(undefined)
    requestAnimationFrame(() => field.current?.focus())
  }
  const refuse = (sentence: string) => {
    setError(sentence)
    if (asked) back()
    else field.current?.focus()
  }
  /** What the text names; undefined, and the mistake is shown, when it cannot be added. */
  const understood = (): McpServers | undefined => {
    const text = field.current?.value.trim() ?? ''
    try {
      const added = readServers(text)
      const taken = added.servers.find(({ id }) => isTaken(id, added.providers))
      if (!taken) return added
      refuse(messages.addServerTaken(taken.name))
    } catch (thrown) {
      if (!(thrown instanceof LatchkeyError)) throw thrown
      refuse(inWords(thrown.message, text))
    }
    return undefined
  }
  /** Accounts and agents know a server by its id alone, so a second one would be given what the first one has. */
  const isTaken = (id: string, added: readonly Provider[]) => {
    const provider = added.find((one) => one.id === id)
    const accounts = Object.values(client.getSnapshot().accounts).filter((account) => account.provider === id)
    return (
      client.providers.some((one) => one.id === id) ||
      accounts.some((account) => !provider || bindingChange(provider, account) !== undefined)
    )
  }
  const read = (event: FormEvent) => {
    event.preventDefault()
    const added = empty ? undefined : understood()
    if (!added) return
    setError(undefined)
    setAsked(
      added.servers.map(({ id, name, kind, url, command, references }) => ({
        id,
        name,
        kind,
        place: url ? hostOf(url) : command,
        accounts: [...new Set(references.map(({ variable }) => accountNamed(client.providers, variable)))],
      })),
    )
  }
  const add = () => {
    const node = field.current
    // The page may have got another server of this name meanwhile.
    const added = understood()
    if (!node || !added) return
    onAdd(added)
    node.value = ''
    setEmpty(true)
    back()
  }
  const errorId = `${baseId}-error`
  const hintId = `${baseId}-hint`
  return (
    <form className={classes('latchkey latchkey-add', className)} noValidate onSubmit={read}>
      {/* Hidden, not gone, while its servers are asked about: the text is nowhere else. */}
      <div className="latchkey-add-entry" hidden={asked !== undefined}>
        <label className="latchkey-name" htmlFor={`${baseId}-text`}>
          {messages.addServer}
        </label>
        <p id={hintId} className="latchkey-line">
          {messages.addServerLabel}
        </p>
        <textarea
          ref={field}
          id={`${baseId}-text`}
          className="latchkey-input"
          rows={3}
          dir="ltr"
          {...verbatim}
          placeholder="https://mcp.example.com/mcp"
          onInput={({ currentTarget }) => {
            setEmpty(currentTarget.value.trim() === '')
            setError(undefined)
          }}
          aria-invalid={error !== undefined || undefined}
          aria-describedby={error === undefined ? hintId : `${errorId} ${hintId}`}
        />
        <Problem id={errorId} sentence={error} />
        <div className="latchkey-actions">
          <Button type="submit" kind="primary" disabled={empty}>
            {messages.addServerNext}
          </Button>
        </div>
      </div>
      {asked && (
        <fieldset className="latchkey-add-question" aria-labelledby={`${baseId}-question`}>
          <p ref={question} id={`${baseId}-question`} className="latchkey-name" tabIndex={-1}>
            {messages.addServerAsk(asked.length)}
          </p>
          <ul className="latchkey-places">
            {asked.map(({ id, name, place, kind, accounts }) => (
              <li key={id}>
                <b>
                  <bdi>{place}</bdi>
                </b>
                <span className="latchkey-line">
                  {name !== place && <bdi>{name}</bdi>}
                  {kind !== 'oauth' && <span className="latchkey-tag">{messages.serverKinds[kind]}</span>}
                </span>
                {accounts.map((account) => (
                  <span key={account} className="latchkey-warning">
                    {messages.addServerGives(account, place ?? name)}
                  </span>
                ))}
              </li>
            ))}
          </ul>
          <p className="latchkey-warning">{messages.addServerWarning}</p>
          <div className="latchkey-actions">
            <Button onClick={back}>{messages.cancelShort}</Button>
            <Button kind="primary" onClick={add}>
              {messages.addServerConfirm}
            </Button>
          </div>
        </fieldset>
      )}
    </form>
  )
}

function readServers(text: string): McpServers {
  if (text.startsWith('{')) return mcpServers(text)
  const name = URL.canParse(text) ? hostOf(text) : 'server'
  return mcpServers({ [name]: { url: text } })
}

/** The provider whose accounts fill a variable, else the variable itself. */
function accountNamed(providers: readonly Provider[], variable: string): string {
  const isItsOwn = (provider: Provider) =>
    provider.envNames.includes(variable) ||
    (provider.kind === 'api-key' && provider.schemes.some(({ env }) => Object.hasOwn(env ?? {}, variable)))
  return providers.find(isItsOwn)?.name ?? variable
}

const hostOf = (url: string) => new URL(url).host

/** Where in the JSON a mistake is says nothing to who entered an address. */
function inWords(message: string, text: string): string {
  if (text.startsWith('{')) return message
  const sentence = message.replace(/^mcpServers\S*: /, '')
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}
