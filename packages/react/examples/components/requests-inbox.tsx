import { RequestsInbox, useRequests } from '@latchkey/react/agents'

export function Inbox() {
  const { length } = useRequests()
  return (
    <details>
      <summary>Requests ({length})</summary>
      <RequestsInbox />
    </details>
  )
}
