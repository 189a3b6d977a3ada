'use client'
import { Content, Description, Overlay, Portal, Root, Title } from '@radix-ui/react-dialog'
import { type ReactNode, useId } from 'react'
import { useLaterMessages } from '../messages/en.lazy.ts'
import type { ConsentDialogProps } from './consent-dialog.tsx'
import { type ConsentItem, useConsentItems } from './consent-items.ts'

/** The dialog itself; see {@link ConsentDialogProps}. A module of its own, so it is only loaded when somebody is asked. */
export function ConsentQuestion(props: ConsentDialogProps & { mark: ReactNode }) {
  const { mark, provider, asked, granted = [], account, theme, onContinue, onClose, onClosed } = props
  const messages = useLaterMessages()
  const { items, setChosen, scopes } = useConsentItems({ provider, asked, granted })
  const nothingId = useId()
  const of = (kind: ConsentItem['kind']) => items.filter((item) => item.kind === kind)
  const label = granted.length > 0 ? messages.consentMore : messages.consentChoice
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Portal>
        <div className="latchkey latchkey-layer" data-theme={theme}>
          <Overlay className="latchkey-overlay" />
          <Content
            className="latchkey-dialog latchkey-consent"
            onCloseAutoFocus={(event) => {
              if (!onClosed) return
              event.preventDefault()
              onClosed()
            }}
          >
            <div className="latchkey-consent-head">
              <span className="latchkey-mark">{mark}</span>
              <Title className="latchkey-heading">{messages.consentTitle(provider.name)}</Title>
            </div>
            <div className="latchkey-consent-body">
              <Group label={messages.consentGranted} items={of('granted')} />
              <Group label={messages.consentNeeded} items={of('required')} />
              <Group label={label} items={of('optional')} setChosen={setChosen} />
            </div>
            <Description className="latchkey-hint">{messages.consentBody(provider.name, account)}</Description>
            <p id={nothingId} className="latchkey-consent-nothing" role="status">
              {!scopes && messages.consentNothing}
            </p>
            <div className="latchkey-actions">
              <button type="button" className="latchkey-button" data-kind="secondary" onClick={onClose}>
                {messages.cancelShort}
              </button>
              <button
                type="button"
                className="latchkey-button"
                data-kind="primary"
                // Not disabled: it can be reached, and says what is missing.
                aria-disabled={!scopes || undefined}
                aria-describedby={scopes ? undefined : nothingId}
                // No await in here: the window opens in this very click.
                onClick={() => scopes && onContinue(scopes)}
              >
                {messages.consentContinue(provider.name)}
              </button>
            </div>
          </Content>
        </div>
      </Portal>
    </Root>
  )
}

interface GroupProps {
  label: string
  items: readonly ConsentItem[]
  /** Makes a choice of it. */
  setChosen?: (scope: string, chosen: boolean) => void
}

function Group({ label, items, setChosen }: GroupProps) {
  const messages = useLaterMessages()
  const labelId = useId()
  if (items.length === 0) return null
  const words = (item: ConsentItem): ReactNode => (
    <>
      <span>{item.label}</span>
      {item.sensitive && <em>{messages.sensitive}</em>}
    </>
  )
  return (
    <section aria-labelledby={labelId}>
      <h3 id={labelId}>{label}</h3>
      <ul className={setChosen ? 'latchkey-choices' : 'latchkey-scopes'}>
        {items.map((item) => (
          <li key={item.scope} data-sensitive={item.sensitive || undefined}>
            {setChosen ? (
              <label>
                <input
                  type="checkbox"
                  checked={item.chosen}
                  onChange={(event) => setChosen(item.scope, event.currentTarget.checked)}
                />
                {words(item)}
              </label>
            ) : (
              words(item)
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
