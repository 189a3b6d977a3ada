import { DisconnectDialog } from '@latchkey/react'

export function Remove({ accountId }: { accountId: string }) {
  return (
    <DisconnectDialog provider="github" accountId={accountId}>
      <button type="button">Remove…</button>
    </DisconnectDialog>
  )
}
