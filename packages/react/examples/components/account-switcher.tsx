import { AccountSwitcher } from '@latchkey/react'
import { useState } from 'react'

/** One chat uses another account than the default one. */
export function ChatAccount() {
  const [account, setAccount] = useState<string>()
  return <AccountSwitcher provider="github" value={account} onValueChange={setAccount} />
}
