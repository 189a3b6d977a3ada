'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { type ComponentPropsWithoutRef, type ForwardedRef, useId } from 'react'
import { ConnectControl } from '../connect/connect-control.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { useKit } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { RawScopes, Since } from '../parts/account-facts.tsx'
import { AccountNames } from '../parts/account-names.tsx'
import { type Subject, SubjectContext, useSubject } from '../parts/context.tsx'
import { Button } from '../ui/button.tsx'
import { useControllable } from '../ui/controllable.ts'
import { useMessages } from '../use-messages.ts'

export interface AccountMoreProps {
  id: string
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

/** What a row shows behind its dots: the rest of the facts and the rarer actions. Loaded on intent. */
export function AccountMore(props: AccountMoreProps) {
  const { id, subject, label, promotable, onStart, onAdded, onDone } = props
  const { provider, account } = subject
  const messages = useMessages()
  const { client } = useKit()
  const { name } = provider
  const usable = account.status === 'connected' || account.status === 'expiring'
  return (
    <div id={id} className="latchkey-more">
      <SubjectContext.Provider value={subject}>
        <Details brief />
      </SubjectContext.Provider>
      {promotable && (
        <Button
          size="small"
          aria-label={messages.makeDefault(account.label)}
          onClick={() => {
            onDone()
            client.setDefault(account.id)
          }}
        >
          {messages.makeDefaultShort}
        </Button>
      )}
      {usable && (
        <Button
          size="small"
          aria-label={messages.pause(name, label)}
          onClick={() => {
            onDone()
            client.pause(account.id)
          }}
        >
          {messages.pauseShort}
        </Button>
      )}
      {usable && provider.kind === 'api-key' && (
        <ConnectControl
          provider={provider}
          accountId={account.id}
          accountLabel={label}
          kind="secondary"
          className="latchkey-rotate"
          words={[messages.rotateShort, messages.rotate(name, label)]}
          onStart={onStart}
          onConnected={onDone}
        />
      )}
      <ConnectControl
        provider={provider}
        kind="secondary"
        className="latchkey-another"
        words={[messages.addAnother(name), messages.addAnother(name)]}
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
export function Details({
  rawScopes,
  defaultRawScopes = false,
  onRawScopesChange,
  brief,
  className,
  forwardedRef,
  ...props
}: DetailsProps & { forwardedRef?: ForwardedRef<HTMLDListElement> }) {
  const { provider, account } = useSubject('Details')
  const messages = useMessages()
  const [raw, setRaw] = useControllable(rawScopes, defaultRawScopes, onRawScopesChange)
  const rawId = useId()
  if (!account) return null
  return (
    <dl {...props} ref={forwardedRef} className={['latchkey latchkey-details', className].filter(Boolean).join(' ')}>
      {!brief && (
        <div>
          <dt>{messages.factAccount}</dt>
          <dd className="latchkey-identity">
            <AccountNames account={account} />
          </dd>
        </div>
      )}
      <div>
        <dt>{messages.factSince}</dt>
        <dd>
          <Since />
        </dd>
      </div>
      <div>
        <dt>{messages.factUntil}</dt>
        <dd>{account.expiresAt === undefined ? messages.endless : <Account.Expiry when="known" />}</dd>
      </div>
      {account.scopes.length > 0 && (
        <div>
          {!brief && <dt>{messages.factAccess}</dt>}
          <dd>
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
            {raw && <RawScopes id={rawId} className="latchkey-codes" />}
          </dd>
        </div>
      )}
      {account.url && (
        <div>
          <dt>{provider.name}</dt>
          <dd>
            <a className="latchkey-link" href={account.url} target="_blank" rel="noopener noreferrer">
              {messages.profile(provider.name)}
            </a>
          </dd>
        </div>
      )}
    </dl>
  )
}
