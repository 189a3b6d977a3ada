'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { ConnectControl, type ConnectIntent } from '../connect/connect-control.tsx'
import { useMessages } from '../messages/en.ts'
import { useKit } from '../provider.tsx'
import { Details } from './details.tsx'

export interface AccountMoreProps {
  id: string
  provider: Provider
  account: ConnectedAccount
  /** The account's name, when its provider has several. */
  label: string | undefined
  /** It can be made the default one. */
  promotable: boolean
  onStart: (intent: ConnectIntent) => void
  onAdded: NonNullable<ConnectIntent['onConnected']>
  /** Called when something here was done. */
  onDone: () => void
}

/** What a row shows behind its dots: the rest of the facts and the rarer actions. Only loaded when somebody may look. */
export function AccountMore(props: AccountMoreProps) {
  const { id, provider, account, label, promotable, onStart, onAdded, onDone } = props
  const messages = useMessages()
  const { client } = useKit()
  const { name } = provider
  const usable = account.status === 'connected' || account.status === 'expiring'
  return (
    <div id={id} className="latchkey-more">
      <Details brief />
      {promotable && (
        <button
          type="button"
          className="latchkey-button"
          data-kind="secondary"
          data-size="small"
          aria-label={messages.makeDefault(account.label)}
          onClick={() => {
            onDone()
            client.setDefault(account.id)
          }}
        >
          {messages.makeDefaultShort}
        </button>
      )}
      {usable && (
        <button
          type="button"
          className="latchkey-button"
          data-kind="secondary"
          data-size="small"
          aria-label={messages.pause(name, label)}
          onClick={() => {
            onDone()
            client.pause(account.id)
          }}
        >
          {messages.pauseShort}
        </button>
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
