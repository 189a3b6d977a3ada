'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { type ComponentPropsWithoutRef, type ForwardedRef, type ReactNode, useId } from 'react'
import type { ConnectControl } from '../connect/connect-control.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { isUsable, useKit } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { AccountNames } from '../parts/account-names.tsx'
import { type Subject, SubjectContext, useSubject } from '../parts/context.tsx'
import { Button, classes, SmallButton } from '../ui/button.tsx'
import { useControllable } from '../ui/controllable.ts'
import { useMessages } from '../use-messages.ts'

export interface AccountMoreProps {
  id: string
  /** Handed over by who has it already: an import would take it, and all below it, out of the first chunk. */
  Connect: typeof ConnectControl
  subject: Subject & { account: ConnectedAccount }
  /** The account's name, when its provider has several. */
  label: string | undefined
  /** It can be made the default one. */
  promotable: boolean
  onStart: (intent: ConnectIntent) => void
  onAdded: NonNullable<ConnectIntent['onConnected']>
  /** Called when something here was done. */
  onDone: () => void
}

/** When an account ends that nothing can renew. Few do, so it loads with the rest of the facts. */
export function AccountEnd(subject: Subject) {
  return (
    <SubjectContext.Provider value={subject}>
      <Account.Expiry className="latchkey-why" />
    </SubjectContext.Provider>
  )
}

/** What a row shows behind its dots: the rest of the facts and the rarer actions. Loaded on intent. */
export function AccountMore(props: AccountMoreProps) {
  const { id, Connect, subject, label, promotable, onStart, onAdded, onDone } = props
  const { provider, account } = subject
  const messages = useMessages()
  const { client } = useKit()
  const { name } = provider
  const usable = isUsable(account)
  return (
    <div id={id} className="latchkey-more">
      <SubjectContext.Provider value={subject}>
        <Details brief />
      </SubjectContext.Provider>
      {promotable && (
        <SmallButton
          label={messages.makeDefaultShort}
          name={messages.makeDefault(account.label)}
          onPress={() => {
            onDone()
            client.setDefault(account.id)
          }}
        />
      )}
      {usable && (
        <SmallButton
          label={messages.pauseShort}
          name={messages.pause(name, label)}
          onPress={() => {
            onDone()
            client.pause(account.id)
          }}
        />
      )}
      {usable && provider.kind === 'api-key' && (
        <Connect
          provider={provider}
          accountId={account.id}
          accountLabel={label}
          kind="secondary"
          className="latchkey-rotate"
          words={{ label: messages.rotateShort, name: messages.rotate(name, label) }}
          onStart={onStart}
          onConnected={onDone}
        />
      )}
      <Connect
        provider={provider}
        kind="secondary"
        className="latchkey-another"
        words={{ label: messages.addAnother(name), name: messages.addAnother(name) }}
        onStart={onStart}
        onConnected={(outcome) => {
          onDone()
          onAdded(outcome)
        }}
      />
    </div>
  )
}

export type DetailsProps = Omit<ComponentPropsWithoutRef<'dl'>, 'children'> & {
  /** Whether the scopes' own names are shown. */
  rawScopes?: boolean
  /** Whether the scopes are first shown by their names at the provider. @default false */
  defaultRawScopes?: boolean
  /** Called when the person shows or hides them. */
  onRawScopesChange?: (shown: boolean) => void
  /** Leaves out who it is and what was granted, where both stand beside it already. @default false */
  brief?: boolean
}

/** The list of an `AccountDetails`. */
export function Details(given: DetailsProps & { forwardedRef?: ForwardedRef<HTMLDListElement> }) {
  const { rawScopes, defaultRawScopes = false, onRawScopesChange, brief, className, forwardedRef, ...props } = given
  const { provider, account } = useSubject('Details')
  const messages = useMessages()
  const [raw, setRaw] = useControllable(rawScopes, defaultRawScopes, onRawScopesChange)
  const rawId = useId()
  if (!account) return null
  return (
    <dl {...props} ref={forwardedRef} className={classes('latchkey latchkey-details', className)}>
      {!brief && (
        <Fact label={messages.factAccount} className="latchkey-identity">
          <AccountNames account={account} />
        </Fact>
      )}
      <Fact label={messages.factSince}>
        <Account.Since />
      </Fact>
      <Fact label={messages.factUntil}>
        {account.expiresAt === undefined ? messages.endless : <Account.Expiry when="known" />}
      </Fact>
      {account.scopes.length > 0 && (
        <Fact label={!brief && messages.factAccess}>
          {!brief && <Account.Scopes className="latchkey-scopes" />}
          <Button
            className="latchkey-raw"
            kind="quiet"
            size="small"
            aria-expanded={raw}
            aria-controls={raw ? rawId : undefined}
            onClick={() => setRaw(!raw)}
          >
            {messages.rawScopesShort}
          </Button>
          {raw && <Account.RawScopes id={rawId} className="latchkey-codes" />}
        </Fact>
      )}
      {account.url && (
        <Fact label={provider.name}>
          <a className="latchkey-link" href={account.url} target="_blank" rel="noopener noreferrer">
            {messages.profile(provider.name)}
          </a>
        </Fact>
      )}
    </dl>
  )
}

function Fact({ label, className, children }: { label: string | false; className?: string; children: ReactNode }) {
  return (
    <div>
      {label && <dt>{label}</dt>}
      <dd className={className}>{children}</dd>
    </div>
  )
}
