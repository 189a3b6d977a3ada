import { hash, randomBytes } from 'node:crypto'
import type { Entry, Turn } from './turn.ts'

const HOURS = 3_600_000

/** Milliseconds that a call is remembered. */
const KEPT = 24 * HOURS
/** Bytes of a result that are kept, as JSON. */
const MAX_RESULT = 64 * 1024

/** 128 bits that nobody can guess. */
export const randomId = () => randomBytes(16).toString('base64url')

/** What tells one call of a run from another, beside its arguments. */
interface Told {
  agents: readonly string[]
  account: string
  tool?: { name: string; version: string }
  run: string
  nth?: number | string
}

/** The key of a call. Calls of equal keys are one call. */
export function keyOf({ agents, account, tool, run, nth = 1 }: Told, digest: string): string {
  const parts = [run, tool?.name ?? null, tool?.version ?? null, digest, nth, account, agents]
  return hash('sha256', JSON.stringify(parts), 'base64url')
}

/** Writes a call down as begun, under one key or two. Returns its ticket. */
export async function begin(
  { documents, now }: Turn,
  [asked, sent]: readonly [string, string?],
  again: boolean,
): Promise<string> {
  const ticket = randomId()
  const entry: Entry = { state: 'begun', ticket, ...(again && { again }) }
  await documents.write('call', asked, { ...entry, ...(sent && { twin: sent }) }, now + KEPT)
  if (sent) await documents.write('call', sent, { ...entry, twin: asked }, now + KEPT)
  return `${asked}.${ticket}`
}

/** Milliseconds that a call waits for the end of the same call. */
const PATIENCE = 30_000

/** Calls that this process has begun and not ended: whoever makes the same call again can wait for its end. */
export interface UnderWay {
  /** Called in the transaction that writes it down, so that no other one finds it begun and not under way. */
  begin(ticket: string): void
  end(ticket: string): void
  /** When the try that an entry names is over. Undefined if it is not under way here. */
  endOf(entry: Entry | undefined): Promise<void> | undefined
}

export function createUnderWay(): UnderWay {
  const ends = new Map<string, { ended: Promise<void>; end: () => void }>()
  const nameOf = (ticket: string) => ticket.slice(ticket.indexOf('.') + 1)
  const underWay: UnderWay = {
    begin(ticket) {
      let end = () => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      ends.set(nameOf(ticket), { ended, end })
    },
    end(ticket) {
      ends.get(nameOf(ticket))?.end()
      ends.delete(nameOf(ticket))
    },
    endOf(entry) {
      const found = ends.get(entry?.ticket ?? '')
      if (!found) return undefined
      // One that never ends is as good as lost.
      const timer = setTimeout(() => underWay.end(entry?.ticket ?? ''), PATIENCE)
      timer.unref?.()
      return found.ended.finally(() => clearTimeout(timer))
    },
  }
  return underWay
}

/** The entries of the try that a ticket names, while it is under way. */
async function underWay({ documents }: Turn, given: string) {
  const [first = '', ticket] = given.split('.')
  const found: { id: string; entry: Entry; expiresAt: number }[] = []
  for (let id: string | undefined = first; id && found.length < 2; id = found.at(-1)?.entry.twin) {
    const opened = await documents.read('call', id)
    if (opened?.content.state !== 'begun' || opened.content.ticket !== ticket) break
    found.push({ id, entry: opened.content, expiresAt: opened.expiresAt })
  }
  return found
}

/**
 * Writes down that a call has ended. A call that is not under way is left as it is. Resolves to the ids of requests about it
 * that were made meanwhile.
 */
export async function finish(turn: Turn, ticket: string, result: unknown): Promise<string[]> {
  const kept = small(result)
  const found = await underWay(turn, ticket)
  for (const { id, expiresAt } of found) {
    const end = Math.max(expiresAt, turn.now + KEPT)
    await turn.documents.write('call', id, { state: 'done', ...(kept !== undefined && { result: kept }) }, end)
  }
  return found.flatMap(({ entry: { request } }) => request ?? [])
}

/** Forgets a try that was not sent. What its person was asked about the call meanwhile holds, and so does what they said. */
export async function forget(turn: Turn, ticket: string): Promise<void> {
  for (const { id, entry, expiresAt } of await underWay(turn, ticket)) {
    const { again, request } = entry
    if (again) continue
    if (request === undefined) await turn.documents.remove('call', id)
    else await turn.documents.write('call', id, { state: 'asking', request }, expiresAt)
  }
}

/** A result as JSON keeps it; undefined if it is too large, or no JSON. */
function small(result: unknown): unknown {
  try {
    const text = JSON.stringify(result)
    return text !== undefined && Buffer.byteLength(text) <= MAX_RESULT ? result : undefined
  } catch {
    return undefined
  }
}
