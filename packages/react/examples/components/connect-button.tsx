import { ConnectButton } from '@latchkey/react'

/** `onConnected` runs once the person has connected. */
export function Import({ start }: { start: () => void }) {
  return <ConnectButton provider="github" scopes={['repo']} onConnected={start} />
}
