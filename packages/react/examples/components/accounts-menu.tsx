import { AccountsMenu } from '@latchkey/react'

/** Beside the message box of one agent. `onManage` opens your settings. */
export function Composer({ openSettings }: { openSettings: () => void }) {
  return (
    <form>
      <textarea aria-label="Message" />
      <AccountsMenu agent="assistant" onManage={openSettings} />
    </form>
  )
}
