import type { Activity } from '@latchkey/core/agents'
import type { Owner } from '../stores/store.ts'
import type { PersonLog } from '../vault/person-log.ts'

/** Milliseconds between two looks at the log, which other processes write too. */
const LOOK = 500
/** Milliseconds between two signs of life. Proxies cut what is silent for half a minute, or longer. */
const BEAT = 15_000
/** Entries that one look reads. Who is further behind asks for the list. */
const BATCH = 200
/** Streams of one person. Browsers have six connections to a server. */
const STREAMS = 8
/** Events that may wait for a page that does not read. */
const WAITING = 1000

/** Entries that say that a request came, or waits no more. */
const ABOUT_REQUESTS: readonly string[] = ['ask', 'answer', 'rule', 'stop']

/** Tells people what agents do with their accounts, as server-sent events. */
export interface Feed {
  /**
   * Follows what concerns one person. Undefined if they follow it too often already.
   *
   * @param options.after the number of the last entry that they know.
   * @param options.isStill whether the session still is this person's.
   */
  open(owner: Owner, options: FeedOptions): Promise<ReadableStream<Uint8Array> | undefined>
  /** Ends all streams. */
  close(): void
}

interface FeedOptions {
  after: number | undefined
  isStill: () => Promise<boolean>
  signal: AbortSignal
}

interface Stream {
  readonly owner: Readonly<Owner>
  readonly isStill: () => Promise<boolean>
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  /** The number of the last entry that was looked at. */
  at: number
  /** When the next sign of life is due. */
  beatAt: number
}

const text = new TextEncoder()
const eventOf = (event: string, data: object, id?: number) =>
  text.encode(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
const SIGN_OF_LIFE = text.encode(':\n\n')

export function createFeed(log: Pick<PersonLog, 'head' | 'after'>): Feed {
  const streams = new Set<Stream>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  function end(stream: Stream): void {
    if (!streams.delete(stream)) return
    try {
      stream.controller.close()
    } catch {
      // Its page left.
    }
  }

  /** Where a stream begins, with what its page does not know. Nothing if it is too far behind. */
  async function start(owner: Owner, after: number | undefined) {
    const head = await log.head(owner.tenant)
    // A log that is kept in memory began anew.
    if (after === undefined || after > head) return { at: head, uses: [] }
    const { uses, last = after, isAll } = await log.after(owner, after, BATCH)
    return isAll ? { at: Math.max(head, last), uses, isResumed: true } : { at: head, uses: [] }
  }

  function tell({ controller }: Stream, uses: readonly Activity[]): void {
    for (const use of uses) controller.enqueue(eventOf('use', use, use.seq))
    if (uses.some(({ action }) => ABOUT_REQUESTS.includes(action))) controller.enqueue(eventOf('requests', {}))
  }

  /** Tells a person what is new of theirs. Their tenant and name are in the query itself. */
  async function look(stream: Stream, head: number): Promise<void> {
    if (stream.at >= head) return
    const { uses, last = head, isAll } = await log.after(stream.owner, stream.at, BATCH)
    if (!streams.has(stream)) return
    stream.at = isAll ? Math.max(head, last) : last
    tell(stream, uses)
    if ((stream.controller.desiredSize ?? 0) < -WAITING) end(stream)
  }

  async function beat(stream: Stream): Promise<void> {
    if (Date.now() < stream.beatAt) return
    stream.beatAt = Date.now() + BEAT
    const isStill = await stream.isStill().catch(() => false)
    if (!isStill) end(stream)
    else if (streams.has(stream)) stream.controller.enqueue(SIGN_OF_LIFE)
  }

  /** One query at a time: where many follow, news come later, and the store is not asked for more at once. */
  async function round(): Promise<void> {
    for (const stream of streams) void beat(stream)
    const heads = new Map<string, number>()
    for (const stream of streams) {
      const { tenant } = stream.owner
      try {
        const head = heads.get(tenant) ?? (await log.head(tenant))
        heads.set(tenant, head)
        await look(stream, head)
      } catch {
        // Its page asks again, and is told what is wrong.
        end(stream)
      }
    }
  }

  function watch(): void {
    if (timer || streams.size === 0) return
    timer = setTimeout(async () => {
      await round()
      timer = undefined
      watch()
    }, LOOK)
    timer.unref?.()
  }

  return {
    async open({ tenant, user }, { after, isStill, signal }) {
      const { at, uses, isResumed } = await start({ tenant, user }, after)
      const own = [...streams].filter(({ owner }) => owner.tenant === tenant && owner.user === user)
      if (isClosed || own.length >= STREAMS) return undefined
      let stream: Stream
      return new ReadableStream<Uint8Array>({
        start(controller) {
          stream = { owner: Object.freeze({ tenant, user }), isStill, controller, at, beatAt: Date.now() + BEAT }
          streams.add(stream)
          signal.addEventListener('abort', () => end(stream), { once: true })
          if (signal.aborted) return end(stream)
          tell(stream, uses)
          controller.enqueue(eventOf('following', { resumed: isResumed === true }, at))
          watch()
        },
        cancel: () => void streams.delete(stream),
      })
    },
    close() {
      isClosed = true
      for (const stream of [...streams]) end(stream)
      clearTimeout(timer)
      timer = undefined
    },
  }
}
