'use client'
import { useSnapshot } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
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
      {!losing && <SmallButton label={messages.reload} onPress={() => location.reload()} />}
    </div>
  )
}
