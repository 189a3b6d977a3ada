import { StatusBadge } from '@latchkey/react'

export function GitHubStatus() {
  return <StatusBadge provider="github" withReason />
}
