import { StopButton } from '@latchkey/react/agents'

export function Emergency() {
  return <StopButton target={{ everything: true }} />
}
