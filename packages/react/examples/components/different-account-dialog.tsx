import { DifferentAccountDialog } from '@latchkey/react'

/** Beside a card of your own. It opens by itself when there is something to ask. */
export function Question() {
  return <DifferentAccountDialog provider="github" />
}
