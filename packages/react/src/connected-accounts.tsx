'use client'
import type { DisconnectReceipt } from '@latchkey/core'
import { type ComponentPropsWithoutRef, forwardRef, type ReactNode, useId, useRef, useState } from 'react'
import { AccountCard } from './account-card.tsx'
import { firstStop, NoticeButton, themeAround } from './connect-button.tsx'
import { useAccounts, useDisconnect, useProviders, useSnapshot } from './hooks.ts'
import { KeptBoxes } from './kept-boxes.tsx'
import { later } from './later.ts'
import { LiveRegion, useAnnounce } from './live-region.tsx'
import { useMessages } from './messages.ts'
import { Receipt } from './receipt.tsx'

const useQuestion = later(async () => (await import('./question-dialog.tsx')).QuestionDialog)

export type ConnectedAccountsProps = Omit<ComponentPropsWithoutRef<'section'>, 'title' | 'children'> & {
  /** Default: "Connected Accounts". */
  title?: ReactNode
  /** The line below the title; `null` for none. */
  description?: ReactNode
}

/**
 * The panel: a region named by its heading, with a card per provider, and where their secrets rest. Renders a `section`.
 */
export const ConnectedAccounts = forwardRef<HTMLElement, ConnectedAccountsProps>(function ConnectedAccounts(
  { title, description, className, ...props },
  ref,
) {
  const messages = useMessages()
  const providers = useProviders()
  const persistence = useSnapshot((snapshot) => snapshot.persistence)
  const headingId = useId()
  const line = description === undefined ? messages.description : description
  return (
    <section
      aria-labelledby={headingId}
      {...props}
      ref={ref}
      className={['latchkey latchkey-panel', className].filter(Boolean).join(' ')}
    >
      <KeptBoxes />
      <LiveRegion>
        <h2 id={headingId} className="latchkey-heading">
          {title ?? messages.title}
        </h2>
        {line && <p className="latchkey-description">{line}</p>}
        {persistence === 'unavailable' && <p className="latchkey-warning">{messages.notPersistent}</p>}
        <ul className="latchkey-cards">
          {providers.map((provider) => (
            <li key={provider.id}>
              <AccountCard provider={provider.id} />
            </li>
          ))}
        </ul>
        <Foot />
      </LiveRegion>
    </section>
  )
})

/** An account that went with all the others, and what became of its access. */
interface Farewell {
  id: string
  provider: string
  label: string
  receipt: DisconnectReceipt
}

/** Where secrets rest, and the way out of everything at once. */
function Foot() {
  const messages = useMessages()
  const announce = useAnnounce()
  const providers = useProviders()
  const accounts = useAccounts()
  const { disconnectAll } = useDisconnect()
  const custody = useSnapshot(({ status, persistence, custody }) => {
    if (status === 'loading') return undefined
    return persistence === 'unavailable' ? 'memory' : custody
  })
  const [Question, loadQuestion] = useQuestion()
  const [asking, setAsking] = useState<{ theme: string | undefined }>()
  const [farewells, setFarewells] = useState<readonly Farewell[]>([])
  const trigger = useRef<HTMLButtonElement>(null)
  const foot = useRef<HTMLDivElement>(null)
  // What became of the last accounts is of no interest once the next is there.
  if (farewells.length > 0 && accounts.length > 0) setFarewells([])

  const confirm = async () => {
    setAsking(undefined)
    const gone = accounts
    const receipts = await disconnectAll()
    announce(messages.spoken.disconnectedAll(gone.length))
    setFarewells(
      gone.flatMap(({ id, provider, label }) => {
        const receipt = receipts[id]
        return receipt ? [{ id, provider, label, receipt }] : []
      }),
    )
  }
  return (
    <div ref={foot} className="latchkey-foot">
      {farewells.length > 0 && (
        <div className="latchkey-farewells">
          <div>
            {farewells.map(({ id, provider: providerId, label, receipt }) => {
              const provider = providers.find((candidate) => candidate.id === providerId)
              return provider && <Receipt key={id} provider={provider} receipt={receipt} account={label} />
            })}
          </div>
          <NoticeButton onClick={() => setFarewells([])}>{messages.dismiss}</NoticeButton>
        </div>
      )}
      <p className="latchkey-custody">
        {custody && (
          <>
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <path
                d="M5 7V5a3 3 0 0 1 6 0v2m-7.5 0h9v6.5h-9z"
                fill="none"
                stroke="currentColor"
                strokeWidth="1.4"
                strokeLinejoin="round"
              />
            </svg>
            {messages.custody[custody]}
          </>
        )}
      </p>
      {accounts.length > 1 && (
        <button
          ref={trigger}
          type="button"
          className="latchkey-button"
          data-kind="quiet"
          data-size="small"
          aria-haspopup="dialog"
          onPointerEnter={loadQuestion}
          onFocus={loadQuestion}
          onClick={({ currentTarget }) => {
            loadQuestion()
            setAsking({ theme: themeAround(currentTarget) })
          }}
        >
          {messages.disconnectAll}
        </button>
      )}
      {asking && Question && (
        <Question
          title={messages.disconnectAllTitle}
          body={messages.disconnectAllBody(accounts.length)}
          answers={[
            { label: messages.cancelShort, kind: 'secondary', choose: () => setAsking(undefined) },
            { label: messages.disconnectAll, kind: 'danger', choose: confirm },
          ]}
          theme={asking.theme}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current ?? firstStop(foot.current?.parentElement))?.focus()}
        />
      )}
    </div>
  )
}
