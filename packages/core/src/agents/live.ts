import { parseObject } from '../json.ts'
import { BROKER_HEADER } from '../protocol/broker.ts'
import { answered } from '../protocol/http.ts'
import type { Activity, ActivityNews } from './oversight.ts'
import type { Read } from './read-rules.ts'

/** Milliseconds without a sign of life after which a connection counts as cut: the server gives one every 15 s. */
const SILENCE = 40_000
/** Milliseconds to the next try. It doubles with each that fails. */
const WAIT = 1000
const LONGEST_WAIT = 60_000
/** Characters. No event is longer. */
const LONGEST = 64 * 1024

/** What is followed, and who listens. */
interface Following {
  broker: string
  readUse: Read<Activity>
  listener: (news: ActivityNews) => void
  signal: AbortSignal
}

/**
 * Follows a broker's `activity/live`. Not with an `EventSource`, which cannot send the header that the broker demands.
 *
 * @see HTML §9.2 Server-sent events
 */
export async function follow({ broker, readUse, listener, signal }: Following): Promise<void> {
  let last = 0
  let wait = WAIT
  while (!signal.aborted) {
    await connect().catch(() => {})
    if (signal.aborted) return
    listener({ type: 'lost' })
    await pause(wait, signal)
    wait = Math.min(wait * 2, LONGEST_WAIT)
  }

  /** One connection, until it ends. */
  async function connect(): Promise<void> {
    const silent = new AbortController()
    const silence = () => silent.abort(new DOMException('No sign of life came.', 'TimeoutError'))
    let timer = setTimeout(silence, SILENCE)
    try {
      const { ok, body } = await answered(fetch)(`${broker}/activity/live`, {
        headers: { accept: 'text/event-stream', [BROKER_HEADER]: '1', ...(last > 0 && { 'last-event-id': `${last}` }) },
        redirect: 'error',
        signal: AbortSignal.any([signal, silent.signal]),
      })
      if (!ok || !body) return
      let waiting = ''
      const decoder = new TextDecoder()
      const reader = body.getReader()
      // Not `for await`: Safari's streams cannot be iterated.
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        clearTimeout(timer)
        timer = setTimeout(silence, SILENCE)
        const blocks = (waiting + decoder.decode(read.value, { stream: true })).split('\n\n')
        waiting = blocks.pop() ?? ''
        for (const block of blocks) if (!signal.aborted) hear(block)
        if (waiting.length > LONGEST) return silence()
      }
    } finally {
      clearTimeout(timer)
    }
  }

  function hear(block: string): void {
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]))
    const id = Number(fields.get('id'))
    const event = fields.get('event')
    const data = parseObject(fields.get('data') ?? '')
    if (event === 'use') {
      const use = readUse(data)
      if (use) listener({ type: 'use', use })
    } else if (event === 'requests') listener({ type: 'requests' })
    else if (event === 'following') {
      wait = WAIT
      listener({ type: 'following', resumed: data?.resumed === true })
      // A log that began anew counts from its beginning.
      last = id || 0
    }
    if (id > last) last = id
  }
}

/** Waits, not all pages as long, until the signal is aborted. */
const pause = (milliseconds: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const timer = setTimeout(end, milliseconds * (0.5 + Math.random() / 2))
    signal.addEventListener('abort', end)
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      done()
    }
  })
