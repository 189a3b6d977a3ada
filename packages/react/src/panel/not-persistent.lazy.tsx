'use client'
import { useSnapshot } from '../hooks.ts'
import { NoticeButton } from '../ui/notice.tsx'
import { useMessages } from '../use-messages.ts'

/** Storage refused. Reloading loses what was connected since, so it is offered while there is nothing to lose. */
export function NotPersistent() {
  const messages = useMessages()
  const losing = useSnapshot((snapshot) => Object.keys(snapshot.accounts).length > 0)
  return (
    <div className="latchkey-warning">
      <div>
        <p>{messages.notPersistent}</p>
        <p>{messages.notPersistentHint}</p>
      </div>
      {!losing && <NoticeButton onClick={() => location.reload()}>{messages.reload}</NoticeButton>}
    </div>
  )
}
