import { createHash, randomUUID } from 'node:crypto'
import { LatchkeyError } from '@latchkey/core'
import { jwtVerify, SignJWT } from 'jose'
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
  put(run: Run, paused: PausedRun): Promise<string>
  /** @throws LatchkeyError `misuse` if it is unknown, expired, already used, or of another person or source. */
  take(run: Run, continuation: string): Promise<PausedRun>
}

/** How long a paused run can be resumed, in milliseconds. */
const MAX_PAUSE = 60 * 60 * 1000
/** The oldest are dropped beyond this number, so that runs that are never resumed cannot fill the memory. */
const MAX_KEPT = 1000
const AUDIENCE = 'latchkey-code-mode'

const keyOf = ({ userId, source }: Run) =>
  createHash('sha256')
    .update(JSON.stringify([userId, source]))
    .digest('base64url')

function invalid(): never {
  const reason = 'it is unknown, expired, already used, or of another person or source'
  throw new LatchkeyError('misuse', `This continuation is not valid: ${reason}.`, { next: 'none' })
}

/** Keeps paused runs in memory. Each can be resumed once. */
export function storedContinuations(): Continuations {
  const runs = new Map<string, PausedRun & { until: number }>()
  return {
    async put(run, paused) {
      for (const [key, { until }] of runs) if (until <= Date.now() || runs.size >= MAX_KEPT) runs.delete(key)
      const id = randomUUID()
      runs.set(id + keyOf(run), { ...paused, until: Date.now() + MAX_PAUSE })
      return id
    },
    async take(run, id) {
      const found = runs.get(id + keyOf(run))
      if (!found || found.until <= Date.now()) return invalid()
      runs.delete(id + keyOf(run))
      return found
    },
  }
}

/** Puts the paused run into a signed continuation. @throws LatchkeyError `misuse` if the secret is too short. */
export function signedContinuations(secret: string | Uint8Array): Continuations {
  const key = typeof secret === 'string' ? Buffer.from(secret) : secret
  if (key.byteLength < 32) throw new LatchkeyError('misuse', 'continuationSecret needs 32 bytes or more.')
  return {
    put: (run, paused) =>
      new SignJWT({ paused })
        .setProtectedHeader({ alg: 'HS256' })
        .setAudience(AUDIENCE)
        .setSubject(keyOf(run))
        .setExpirationTime(new Date(Date.now() + MAX_PAUSE))
        .sign(key),
    async take(run, continuation) {
      const checks = { algorithms: ['HS256'], audience: AUDIENCE, subject: keyOf(run), requiredClaims: ['exp'] }
      const { payload } = await jwtVerify<{ paused: PausedRun }>(continuation, key, checks).catch(invalid)
      return payload.paused
    },
  }
}
