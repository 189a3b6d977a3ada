import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { LatchkeyError } from '@latchkey/core'
import type { UsedAccount } from '../account-fetch.ts'
import type { Answer } from './sandbox.ts'

/** A paused run, with the answers that its code has received. */
export interface PausedRun {
  seed: number
  /** When it started, in milliseconds since the epoch. */
  at: number
  answers: readonly Answer[]
  used: readonly UsedAccount[]
}

/** The person and the source of a run. */
export interface Run {
  userId: string
  source: string
}

export interface Continuations {
  /** Makes the continuation of a run. */
  put(run: Run, paused: PausedRun): string
  /** @throws LatchkeyError `misuse` if it is unknown, expired, already used, or of another person or source. */
  take(run: Run, continuation: string): PausedRun
}

/** How long a paused run can be resumed, in milliseconds. */
const MAX_PAUSE = 60 * 60 * 1000
/** The oldest are dropped beyond this number, so that runs that are never resumed cannot fill the memory. */
const MAX_KEPT = 1000

interface Kept extends PausedRun {
  run: string
  /** Milliseconds since the epoch. */
  until: number
}

const keyOf = ({ userId, source }: Run) =>
  createHash('sha256')
    .update(JSON.stringify([userId, source]))
    .digest('base64url')

const keep = (run: Run, paused: PausedRun): Kept => ({ ...paused, run: keyOf(run), until: Date.now() + MAX_PAUSE })

function check(run: Run, kept: Kept | undefined): PausedRun {
  if (kept && kept.until > Date.now() && kept.run === keyOf(run)) return kept
  throw new LatchkeyError(
    'misuse',
    'This continuation is not valid: it is unknown, expired, already used, or of another person or source.',
    { next: 'none' },
  )
}

/** Keeps paused runs in memory. Each can be resumed once. */
export function storedContinuations(): Continuations {
  const runs = new Map<string, Kept>()
  return {
    put(run, paused) {
      for (const [id, { until }] of runs) if (until <= Date.now() || runs.size >= MAX_KEPT) runs.delete(id)
      const id = randomUUID()
      runs.set(id, keep(run, paused))
      return id
    },
    take(run, id) {
      const found = check(run, runs.get(id))
      runs.delete(id)
      return found
    },
  }
}

/** Puts the paused run into a signed continuation. @throws LatchkeyError `misuse` if the secret is too short. */
export function signedContinuations(secret: string | Uint8Array): Continuations {
  if (Buffer.byteLength(secret) < 32) {
    throw new LatchkeyError('misuse', 'continuationSecret needs 32 bytes or more.')
  }
  const sign = (body: string) => createHmac('sha256', secret).update(`latchkey-code-mode.${body}`).digest('base64url')
  return {
    put(run, paused) {
      const body = Buffer.from(JSON.stringify(keep(run, paused))).toString('base64url')
      return `${body}.${sign(body)}`
    },
    take(run, continuation) {
      const [body = '', signature = ''] = continuation.split('.')
      const expected = Buffer.from(sign(body))
      const given = Buffer.from(signature)
      const isOurs = given.length === expected.length && timingSafeEqual(given, expected)
      return check(run, isOurs ? JSON.parse(Buffer.from(body, 'base64url').toString()) : undefined)
    },
  }
}
