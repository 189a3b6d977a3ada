'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { labelsPerson } from '@latchkey/core/internal'
import { Title } from '@radix-ui/react-dialog'
import {
  type ComponentPropsWithoutRef,
  type ForwardedRef,
  type ReactNode,
  type RefObject,
  useId,
  useLayoutEffect,
  useState,
} from 'react'
import type { ConnectControl } from '../connect/connect-control.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { Frame } from '../dialogs/questions.lazy.tsx'
import { isUsable, useKit } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { AccountNames } from '../parts/account-names.tsx'
import { type Subject, SubjectContext, useSubject } from '../parts/context.tsx'
import { ScopeItems } from '../parts/scope-items.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Button, classes } from '../ui/button.tsx'
import { useControllable } from '../ui/controllable.ts'
import { brandMark } from '../ui/icons.tsx'
import { useMessages } from '../use-messages.ts'

/** What can be done in a row's details. */
export interface DetailsActions {
  /** Handed over by who has it already: an import would take it, and all below it, out of the first chunk. */
  Connect: typeof ConnectControl
  /** The account's name, when its provider has several. */
  label: string | undefined
  onStart: (intent: ConnectIntent) => void
  onDisconnect: () => void
}

interface RowDetailsProps {
  subject: Subject & { account: ConnectedAccount }
  /** The button that opened them: the focus goes back to it. */
  opener: RefObject<HTMLElement | null>
  actions: DetailsActions
  onClose: () => void
}

/** Pixels of text that the panel, or the card without one, has to be wide for details among its rows. */
const ROOM = 640

/** Whether details have room where they are opened. Text that is twice as large needs twice the room. */
function hasRoom(opener: HTMLElement | null): boolean {
  const place = opener?.closest<HTMLElement>('.latchkey-panel') ?? opener?.closest<HTMLElement>('.latchkey-card')
  if (!place || opener?.closest('[data-layout=inline]')) return false
  const text = Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
  return place.offsetWidth >= (ROOM * text) / 16
}

/** The details of a row: below it where there is room, else in a sheet. */
export function RowDetails({ subject, opener, actions, onClose }: RowDetailsProps) {
  const { provider } = subject
  const { icons } = useKit()
  const messages = useMessages()
  // A sheet stays one: turning a phone takes nothing away from under a finger.
  const [inPlace, setInPlace] = useState<boolean>()
  useLayoutEffect(() => setInPlace(hasRoom(opener.current)), [opener])
  const facts = (
    <SubjectContext.Provider value={subject}>
      <Details />
    </SubjectContext.Provider>
  )
  if (inPlace === undefined) return null
  if (inPlace)
    return (
      <div className="latchkey-below" data-slot="details">
        {facts}
        <DetailsFoot subject={subject} actions={actions} />
      </div>
    )
  return (
    <Frame className="latchkey-sheet" onClose={onClose} onClosed={() => opener.current?.focus()}>
      <div className="latchkey-sheet-head">
        <span className="latchkey-mark">{brandMark(provider, icons)}</span>
        <Title className="latchkey-heading">{messages.details(provider.name, actions.label)}</Title>
        <Button className="latchkey-dots" kind="quiet" aria-label={messages.close} onClick={onClose}>
          <Cross />
        </Button>
      </div>
      <div data-slot="details">
        {facts}
        <DetailsFoot
          subject={subject}
          actions={{
            ...actions,
            onDisconnect() {
              onClose()
              actions.onDisconnect()
            },
          }}
        />
      </div>
    </Frame>
  )
}

function DetailsFoot({ subject, actions }: Pick<RowDetailsProps, 'subject' | 'actions'>) {
  const { provider, account } = subject
  const { Connect, label, onStart, onDisconnect } = actions
  const messages = useMessages()
  const { name } = provider
  return (
    <div className="latchkey-actions">
      {isUsable(account) && provider.kind === 'api-key' && (
        <Connect
          provider={provider}
          accountId={account.id}
          accountLabel={label}
          kind="secondary"
          className="latchkey-rotate"
          words={{ label: messages.rotateShort, name: messages.rotate(name, label) }}
          onStart={onStart}
        />
      )}
      <Button
        className="latchkey-disconnect"
        aria-label={messages.disconnect(name, label)}
        aria-haspopup="dialog"
        onClick={onDisconnect}
      >
        {messages.disconnectShort}
      </Button>
    </div>
  )
}

export type DetailsProps = Omit<ComponentPropsWithoutRef<'dl'>, 'children'> & {
  /** Whether the technical details are shown: the scopes' own names, and the account's id. */
  technical?: boolean
  /** Whether the technical details are shown at first. @default false */
  defaultTechnical?: boolean
  /** Called when the person shows or hides them. */
  onTechnicalChange?: (shown: boolean) => void
}

/** The list of an `AccountDetails`. */
export function Details(given: DetailsProps & { forwardedRef?: ForwardedRef<HTMLDListElement> }) {
  const { technical, defaultTechnical = false, onTechnicalChange, className, forwardedRef, ...props } = given
  const { provider, account } = useSubject('Details')
  const messages = useMessages()
  const [shown, setShown] = useControllable(technical, defaultTechnical, onTechnicalChange)
  const technicalId = useId()
  if (!account) return null
  const isServer = 'mcp' in provider
  const named = labelsPerson(provider, account)
  return (
    <dl {...props} ref={forwardedRef} className={classes('latchkey latchkey-details', className)}>
      {isServer && (
        <Fact label={messages.factServer}>
          <bdi>{new URL(provider.mcp.url).host}</bdi>
        </Fact>
      )}
      <Fact label={messages.factAccount} className="latchkey-identity">
        {named && <Avatar account={account} />}
        <span className="latchkey-names">
          {named ? <AccountNames account={account} /> : messages.signedIn}
          {account.url && (
            <a className="latchkey-link" href={account.url} target="_blank" rel="noopener noreferrer">
              {messages.profile(provider.name)}
            </a>
          )}
        </span>
      </Fact>
      <Fact label={messages.factSince}>
        <Account.Since />
      </Fact>
      <Fact label={messages.factUntil}>
        {account.expiresAt === undefined ? messages.endless : <Account.Expiry when="known" />}
      </Fact>
      <Abilities provider={provider} account={account} />
      <Tools account={account} />
      <div className="latchkey-technical">
        <dt>
          <Button
            className="latchkey-raw"
            kind="quiet"
            size="small"
            aria-expanded={shown}
            aria-controls={shown ? technicalId : undefined}
            onClick={() => setShown(!shown)}
          >
            {messages.technical}
          </Button>
        </dt>
        {shown && (
          <dd id={technicalId}>
            <Account.RawScopes className="latchkey-codes" />
            <p className="latchkey-codes">
              {messages.factId} <code>{account.id}</code>
            </p>
          </dd>
        )}
      </div>
    </dl>
  )
}

/** What an account may do, in the provider's words, and what it was not allowed. */
function Abilities({ provider, account }: { provider: Provider; account: ConnectedAccount }) {
  const messages = useMessages()
  if (provider.kind === 'api-key') return null
  const { scopes, missingScopes } = account
  const withAccess = (access: string | undefined) =>
    scopes.filter((scope) => provider.scopeMeanings[scope]?.access === access)
  const groups = [
    [messages.factRead, withAccess('read')],
    [messages.factChange, withAccess('write')],
    // Of an MCP server's scopes nobody knows more than their names, which are among the technical details.
    [messages.factAccess, provider.kind === 'mcp' ? [] : withAccess(undefined)],
    [messages.factMissing, missingScopes],
  ] as const
  return groups.map(
    ([label, members]) =>
      members.length > 0 && (
        <Fact key={label} label={label}>
          <ul className="latchkey-scopes" data-missing={members === missingScopes || undefined}>
            <ScopeItems provider={provider} scopes={members} />
          </ul>
        </Fact>
      ),
  )
}

/** Tools of an MCP server that are listed. */
const MOST = 12

/** What the tools of the account's MCP server are called. */
function Tools({ account: { server } }: { account: ConnectedAccount }) {
  const messages = useMessages()
  const { tools = [], toolCount = 0 } = server ?? {}
  if (tools.length === 0) return null
  const shown = tools.slice(0, MOST)
  return (
    <Fact label={messages.factTools}>
      <ul className="latchkey-scopes">
        {shown.map((tool, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may have one name, and the list comes as a whole.
          <li key={at}>
            <bdi>{tool}</bdi>
          </li>
        ))}
      </ul>
      {toolCount > shown.length && <p className="latchkey-line">{messages.moreTools(toolCount - shown.length)}</p>}
    </Fact>
  )
}

function Fact({ label, className, children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd className={className}>{children}</dd>
    </div>
  )
}

function Cross() {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="m4 4 8 8m0-8-8 8" />
    </svg>
  )
}
