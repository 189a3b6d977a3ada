import { AsyncLocalStorage } from 'node:async_hooks'
import { LatchkeyError } from '@latchkey/core'

/** One transaction of a person. Its rows are of no use after it. */
export interface Turn {
  isOver: boolean
}

/** What every store refuses. */
export interface Guard {
  /** Called before anything else is done. @throws LatchkeyError after the store was closed, and inside of `asPerson`. */
  check(): void
  /** Runs the work of a transaction. It ends when the turn is over. */
  run<T>(turn: Turn, work: () => Promise<T>): Promise<T>
  close(): void
}

export function createGuard(): Guard {
  let isClosed = false
  const turns = new AsyncLocalStorage<Turn>()
  return {
    check() {
      // What was closed would be opened again, and nobody would close it.
      if (isClosed) throw new LatchkeyError('temporarily_unavailable', 'The vault is closed.')
      // It would wait for the transaction that waits for it.
      if (turns.getStore()?.isOver === false)
        throw new LatchkeyError('misuse', 'Inside of asPerson, use its rows only.')
    },
    run: (turn, work) => turns.run(turn, work),
    close() {
      isClosed = true
    },
  }
}

/** @throws LatchkeyError if rows are used after their transaction. */
export function checkTurn({ isOver }: Turn): void {
  if (isOver) throw new LatchkeyError('misuse', 'The rows of asPerson are of no use after it.')
}
