import { AgentChoice } from './agent-choice.tsx'
import { BackToChat } from './agent-configuration.tsx'
import { AgentList } from './agent-list.tsx'
import { Welcome } from './chat.tsx'
import { Composer, SUGGESTIONS } from './composer.tsx'

interface WaitingProps {
  panelId: string
  panelOpen: boolean
  onClose: () => void
  /** The server gave no answer. */
  failed: boolean
  /** It is being asked. */
  busy: boolean
  retry: () => void
}

/** The chat and the panel in outline, until the server has said what they need. */
export function Waiting({ panelId, panelOpen, onClose, failed, busy, retry }: WaitingProps) {
  return (
    <>
      <section className="chat" aria-label="Chat">
        <div className="chat-head">
          <AgentChoice />
        </div>
        <div className="log">
          <Welcome />
          {failed && (
            <div className="notice" role="alert">
              <p>
                {navigator.onLine
                  ? "This app's server couldn't be reached."
                  : "You're offline. Try again when you're back online."}
              </p>
              <button type="button" className="button" aria-disabled={busy} onClick={retry}>
                {busy ? 'Trying…' : 'Try again'}
              </button>
            </div>
          )}
        </div>
        <Composer disabled suggestions={SUGGESTIONS} placeholder="Ask the assistant…" />
      </section>
      <section
        id={panelId}
        className="configuration"
        aria-label="Agent configuration"
        aria-busy={busy}
        tabIndex={-1}
        hidden={!panelOpen}
      >
        <BackToChat onClick={onClose} />
        <AgentList model={busy ? 'Loading…' : 'Unknown'} />
        <div className="section">
          <h2>Connected Accounts</h2>
          <ul className="bones" aria-hidden="true" data-still={!busy || undefined}>
            <li className="bone" />
            <li className="bone" />
            <li className="bone" />
          </ul>
        </div>
      </section>
    </>
  )
}
