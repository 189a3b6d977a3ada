'use client'
import { LatchkeyError, type Provider } from '@latchkey/core'
import { bindingChange } from '@latchkey/core/internal'
import { isMcp, isSameServer, type McpServerEntry, type McpServers, mcpServers } from '@latchkey/core/mcp'
import { Title } from '@radix-ui/react-dialog'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Frame } from '../dialogs/questions.lazy.tsx'
import { useKit, useProviders } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { Problem, verbatim } from '../ui/field.tsx'
import { useMessages } from '../use-messages.ts'

/** A server that an app offers to add. */
export interface McpServerExample {
  name: string
  url: string
  /** The id of a client that is registered there. @default the app registers itself */
  clientId?: string
}

/** What an app has to do with added servers. */
export interface Offer {
  /** What the person agreed to. Add `providers` to those of the page, and hand `servers` to the agent. */
  onAdd: (added: McpServers) => void
  /** Servers that one click adds, after the usual question. Those that the page lists already are left out. */
  examples?: readonly McpServerExample[]
}

/** What is asked about a server. Its headers and environment may hold secrets, so they stay in the text field. */
interface Asked extends Pick<McpServerEntry, 'id' | 'name' | 'kind'> {
  /** Its host, whatever name it gives itself, or its program. */
  place: string | undefined
  /** Names of the accounts that it is given, by references such as `${GITHUB_TOKEN}`. */
  accounts: readonly string[]
}

interface AddServerProps extends Offer {
  /** Called in place of a question for servers that the page lists already, with the id of the first. */
  onListed: (providerId: string) => void
  onClose: () => void
  /** Called when the dialog is gone: moves the focus. */
  onClosed: () => void
}

/** The dialog that adds MCP servers: what to add first, then the question. Loaded on intent. */
export function AddServer({ examples = [], onAdd, onListed, onClose, onClosed }: AddServerProps) {
  const { client } = useKit()
  const messages = useMessages()
  const providers = useProviders()
  const baseId = useId()
  const url = useRef<HTMLInputElement>(null)
  const json = useRef<HTMLTextAreaElement>(null)
  const question = useRef<HTMLParagraphElement>(null)
  /** Gives the text that is asked about: secrets in it stay where they were typed. */
  const source = useRef<() => string>(undefined)
  const [asJson, setAsJson] = useState(false)
  const [error, setError] = useState<string>()
  const [asked, setAsked] = useState<{ servers: readonly Asked[]; listed: readonly string[] }>()
  // Also by the keyboard: what had the focus is gone.
  useEffect(() => {
    if (asked) question.current?.focus()
  }, [asked])

  const field = () => (asJson ? json : url).current
  const typed = () => field()?.value.trim() ?? ''
  const back = () => {
    setAsked(undefined)
    requestAnimationFrame(() => field()?.focus())
  }
  const refuse = (sentence: string) => {
    setError(sentence)
    if (asked) back()
    else field()?.focus()
  }
  /** What the text names; undefined, and the mistake is shown, when it cannot be added. */
  const understood = () => {
    const text = source.current?.() ?? ''
    try {
      const found = withoutListed(readServers(text), client.providers)
      const taken = found.added.servers.find(({ id }) => isTaken(id, found.added.providers))
      if (!taken) return found
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
  const ask = (text: () => string) => {
    source.current = text
    const found = understood()
    if (!found) return
    const { added, listed } = found
    const [first] = listed
    if (first && added.servers.length === 0) return onListed(first.id)
    setError(undefined)
    setAsked({
      servers: added.servers.map(({ id, name, kind, url, command, references }) => ({
        id,
        name,
        kind,
        place: url ? new URL(url).host : command,
        accounts: [...new Set(references.map(({ variable }) => accountNamed(client.providers, variable)))],
      })),
      listed: listed.map(({ name }) => name),
    })
  }
  const read = (event: FormEvent) => {
    event.preventDefault()
    if (typed() === '') refuse(messages.addServerEmpty)
    else ask(typed)
  }
  const add = () => {
    // The page may have got another server of this name meanwhile.
    const found = understood()
    if (!found) return
    if (found.added.servers.length > 0) onAdd(found.added)
    else onListed(found.listed[0]?.id ?? '')
  }
  const change = () => {
    setError(undefined)
    setAsJson(!asJson)
    requestAnimationFrame(() => (asJson ? url : json).current?.focus())
  }
  const left = examples.filter((one) => !providers.some((provider) => isAt(provider, one.url)))
  const errorId = `${baseId}-error`
  const input = (isJson: boolean) => ({
    ...verbatim,
    id: `${baseId}-${isJson ? 'json' : 'url'}`,
    className: 'latchkey-input',
    dir: 'ltr',
    hidden: isJson !== asJson,
    onInput: () => setError(undefined),
    'aria-invalid': (error !== undefined && isJson === asJson) || undefined,
    'aria-describedby': error === undefined ? undefined : errorId,
  })
  return (
    <Frame className="latchkey-add-dialog" firm onClose={onClose} onClosed={onClosed}>
      <Title className="latchkey-heading">{messages.addServer}</Title>
      {/* Hidden, not gone, while its servers are asked about: the text is nowhere else. */}
      <form className="latchkey-add-entry" noValidate hidden={asked !== undefined} onSubmit={read}>
        <label className="latchkey-line" htmlFor={input(asJson).id}>
          {asJson ? messages.addServerJson : messages.addServerUrl}
        </label>
        <input ref={url} type="url" inputMode="url" placeholder="https://mcp.example.com/mcp" {...input(false)} />
        <textarea ref={json} rows={8} placeholder={SAMPLE} {...input(true)} />
        <Problem id={errorId} sentence={error} />
        <div>
          <Button className="latchkey-raw" kind="quiet" size="small" onClick={change}>
            {asJson ? messages.addServerByUrl : messages.addServerByJson}
          </Button>
        </div>
        {left.length > 0 && !asJson && (
          <div className="latchkey-examples">
            <p className="latchkey-line">{messages.addServerExamples}</p>
            <ul>
              {left.map((example) => (
                <li key={example.name}>
                  <Button size="small" onClick={() => ask(() => entryOf(example))}>
                    {example.name}
                  </Button>
                </li>
              ))}
            </ul>
          </div>
        )}
        <p className="latchkey-warning">{messages.addServerWarning}</p>
        <div className="latchkey-actions">
          <Button onClick={onClose}>{messages.cancelShort}</Button>
          <Button type="submit" kind="primary">
            {messages.addServerNext}
          </Button>
        </div>
      </form>
      {asked && (
        <fieldset className="latchkey-add-question" aria-labelledby={`${baseId}-question`}>
          <p ref={question} id={`${baseId}-question`} className="latchkey-name" tabIndex={-1}>
            {messages.addServerAsk(asked.servers.length)}
          </p>
          <ul className="latchkey-places">
            {asked.servers.map((server) => (
              <Place key={server.id} server={server} />
            ))}
          </ul>
          {asked.listed.length > 0 && (
            <p className="latchkey-line">
              {messages.addServersListed(new Intl.ListFormat(messages.locale).format(asked.listed))}
            </p>
          )}
          <p className="latchkey-warning">{messages.addServerWarning}</p>
          <div className="latchkey-actions">
            <Button onClick={back}>{messages.addServerBack}</Button>
            <Button kind="primary" onClick={add}>
              {messages.addServerConfirm}
            </Button>
          </div>
        </fieldset>
      )}
    </Frame>
  )
}

/** One server that is asked about: where it is, then what it calls itself and what it would get. */
function Place({ server: { name, place, kind, accounts } }: { server: Asked }) {
  const messages = useMessages()
  return (
    <li>
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
  )
}

const SAMPLE = '{ "mcpServers": { "notes": { "url": "https://mcp.example.com/mcp" } } }'

/** An example as a person would paste it. */
const entryOf = ({ name, url, clientId }: McpServerExample) =>
  JSON.stringify({ mcpServers: { [name]: { url, ...(clientId && { auth: { type: 'oauth2', clientId } }) } } })

const isAt = (provider: Provider, url: string) => isMcp(provider) && isSameServer(provider.mcp.url, url)

/** What is new, and the providers of the page that the rest is. One that is there twice is taken once. */
function withoutListed({ providers, servers }: McpServers, all: readonly Provider[]) {
  const listed = new Set<Provider>()
  const seen: string[] = []
  const isNew = ({ url }: McpServerEntry) => {
    if (!url) return true
    const found = all.find((provider) => isAt(provider, url))
    if (found) listed.add(found)
    if (found || seen.some((one) => isSameServer(one, url))) return false
    seen.push(url)
    return true
  }
  const fresh = servers.filter(isNew)
  const isFresh = ({ id }: Provider) => fresh.some((one) => one.id === id)
  return { added: { providers: providers.filter(isFresh), servers: fresh }, listed: [...listed] }
}

function readServers(text: string): McpServers {
  if (text.startsWith('{')) return mcpServers(text)
  const name = URL.canParse(text) ? new URL(text).host : 'server'
  return mcpServers({ [name]: { url: text } })
}

/** The provider whose accounts fill a variable, else the variable itself. */
function accountNamed(providers: readonly Provider[], variable: string): string {
  const isItsOwn = (provider: Provider) =>
    provider.envNames.includes(variable) ||
    (provider.kind === 'api-key' && provider.schemes.some(({ env }) => Object.hasOwn(env ?? {}, variable)))
  return providers.find(isItsOwn)?.name ?? variable
}

/** Where in the JSON a mistake is says nothing to who entered an address. */
function inWords(message: string, text: string): string {
  if (text.startsWith('{')) return message
  const sentence = message.replace(/^mcpServers\S*: /, '')
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}
