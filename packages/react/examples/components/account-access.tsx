import { AccountAccess } from '@latchkey/react/agents'

export function AccountSettings({ accountId }: { accountId: string }) {
  return <AccountAccess account={accountId} />
}
