import { ReadableStream as NodeStream } from 'node:stream/web'
import { isObject } from '@latchkey/core/server'
import {
  type Find,
  finderOf,
  latin1,
  MASK,
  maskAt,
  piecesOf,
  type Redactor,
  redactorOf,
} from '../outbound/redact/redactor.ts'

/** Shorter secrets are not searched for: an answer holds such words by chance. */
const LEAST = 16

/** Characters and chunks that wait until it is certain that no secret begins in them. */
const MAX_HELD = 64 * 1024
const MAX_WAITING = 256

/** Members of a chunk that are looked at for text that goes on in the next one, and how deep. */
const MAX_MEMBERS = 200
const MAX_DEPTH = 8

/** Types of responses that are text. One without a type may be. */
const TEXT = /^$|^text\/|json|xml|javascript/i
const LINES = /^text\/event-stream|ndjson|jsonl/i
const FIRST_LINE = /^(?:data|event|id|retry)?:/

/** Keeps the secrets of a run out of what leaves it. */
export interface Tripwire {
  /** The same response, stream or iterable, searched while it is read. */
  watch<T extends Response | ReadableStream | AsyncIterable<unknown>>(source: T): T
  /** The value itself if it holds no secret, or else a copy without. */
  value<T>(value: T): Promise<T>
}

/**
 * @param secrets asked for each chunk, because a run opens more while it answers.
 * @param report called once for each answer or value that held secrets, with their number.
 */
export function createTripwire(
  secrets: () => readonly string[],
  report: (count: number) => Promise<unknown>,
): Tripwire {
  function searched(): Search {
    let count = 0
    const hit = (more: number) => {
      count += more
    }
    const make = (now: readonly string[]) => {
      const find = finderOf(now, LEAST)
      return { now, find, redactor: redactorOf(find, hit) }
    }
    let made: ReturnType<typeof make> | undefined
    const current = () => {
      const now = secrets()
      const isSame = made?.now.length === now.length && now.every((secret, at) => secret === made?.now[at])
      if (!made || !isSame) made = make([...now])
      return made
    }
    return {
      find: (text, isEnd) => current().find(text, isEnd),
      redactor: () => current().redactor,
      hit,
      isHit: () => count > 0,
      async over() {
        const found = count
        count = 0
        if (found > 0) await report(found)
      },
    }
  }

  function watchStream(stream: ReadableStream, hasLines: boolean): ReadableStream {
    const reader = stream.getReader()
    const iterator = {
      next: () => reader.read() as Promise<IteratorResult<unknown>>,
      return: async (reason?: unknown) => ({ done: true as const, value: await reader.cancel(reason) }),
    }
    return NodeStream.from(watchIterator(iterator, searched(), hasLines)) as ReadableStream
  }

  function watchResponse(response: Response): Response {
    const type = response.headers.get('content-type') ?? ''
    if (!response.body || !TEXT.test(type) || response.headers.has('content-encoding')) return response
    const clean = new Response(watchStream(response.body, LINES.test(type)), response)
    // A mask has another length.
    clean.headers.delete('content-length')
    return clean
  }

  return {
    watch(source) {
      const watched =
        source instanceof Response
          ? watchResponse(source)
          : source instanceof ReadableStream
            ? watchStream(source, false)
            : watchIterator(source[Symbol.asyncIterator](), searched(), false)
      return watched as typeof source
    },
    async value(value) {
      const search = searched()
      const copy = await search.redactor().later(value)
      const isSame = !search.isHit()
      await search.over()
      return isSame ? value : copy
    },
  }
}

/** The search through one answer. */
interface Search {
  find: Find
  redactor(): Redactor
  hit(count: number): void
  isHit(): boolean
  /** Reports what was found. */
  over(): Promise<void>
}

/** Takes the chunks of an answer, and gives back those that may go on. */
interface Wire {
  push(chunk: unknown): unknown[]
  end(): unknown[]
}

/** Reads nothing ahead. What is held is given out before the end or the error. */
function watchIterator(
  iterator: AsyncIterator<unknown>,
  search: Search,
  hasLines: boolean,
): AsyncIterableIterator<unknown> {
  const wire = createWire(search, hasLines)
  let ready: unknown[] = []
  let ending: (() => IteratorResult<unknown>) | undefined
  const done = () => ({ done: true as const, value: undefined })

  async function take(act: () => Promise<IteratorResult<unknown>>): Promise<void> {
    try {
      const step = await act()
      if (!step.done) {
        ready.push(...wire.push(step.value))
        return
      }
      ready.push(...wire.end())
      const value = search.redactor().value(step.value)
      ending = () => ({ done: true, value })
    } catch (error) {
      // The source may have more, if it is not what failed.
      void Promise.resolve(iterator.return?.()).catch(() => {})
      ready.push(...wire.end())
      const clean = search.redactor().value(error)
      ending = () => {
        throw clean
      }
    }
    await search.over()
  }

  async function read(act: () => Promise<IteratorResult<unknown>>): Promise<IteratorResult<unknown>> {
    let next = act
    while (ready.length === 0 && !ending) {
      await take(next)
      next = () => iterator.next()
    }
    if (ready.length > 0) return { done: false, value: ready.shift() }
    const last = ending ?? done
    ending = done
    return last()
  }

  // One reads after the other, as with a generator.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = (act: () => Promise<IteratorResult<unknown>>) => {
    const result = turn.then(() => read(act))
    turn = result.catch(() => {})
    return result
  }
  return {
    next: () => inTurn(() => iterator.next()),
    async return(value) {
      ready = []
      ending = done
      await search.over()
      return (await iterator.return?.(value)) ?? { done: true, value }
    },
    throw: (error) =>
      inTurn(async () => {
        if (iterator.throw) return iterator.throw(error)
        throw error
      }),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

const isText = (chunk: unknown): chunk is string | Uint8Array =>
  typeof chunk === 'string' || chunk instanceof Uint8Array

/** Text, event streams and values, whatever comes. */
function createWire(search: Search, hasLines: boolean): Wire {
  const values = valueWire(search)
  let text: Wire | undefined
  return {
    push(chunk) {
      if (!isText(chunk)) return [...(text?.end() ?? []), ...values.push(chunk)]
      const start = typeof chunk === 'string' ? chunk : latin1(chunk)
      text ??= encoded(hasLines || FIRST_LINE.test(start) ? lineWire(search) : textWire(search))
      return [...values.end(), ...text.push(chunk)]
    },
    end: () => [...(text?.end() ?? []), ...values.end()],
  }
}

/** Bytes as text with one character for each, so that every byte stays what it is, also of a character that is cut in two. */
function encoded(wire: Wire): Wire {
  let isBytes = false
  const make = (texts: unknown[]) => {
    const text = texts.join('')
    if (text === '') return []
    return [isBytes ? new Uint8Array(Buffer.from(text, 'latin1')) : text]
  }
  return {
    push(chunk) {
      const before = isBytes === (typeof chunk !== 'string') ? [] : make(wire.end())
      isBytes = typeof chunk !== 'string'
      const text = typeof chunk === 'string' ? chunk : latin1(chunk as Uint8Array)
      const texts = wire.push(text)
      // Most chunks go on as they came.
      const isSame = chunk instanceof Uint8Array && texts.length > 0 && texts.join('') === text
      return [...before, ...(isSame ? [chunk] : make(texts))]
    },
    end: () => make(wire.end()),
  }
}

/** Text that has no parts. Only an end that may be the start of a secret is held. */
function textWire({ find, hit }: Search): Wire {
  let held = ''
  const take = (piece: string, isEnd: boolean) => {
    const text = held + piece
    const found = find(text, isEnd)
    hit(found.spans.length)
    held = text.slice(found.end)
    return maskAt(text, found)
  }
  return {
    push: (chunk) => [...piecesOf(String(chunk))].map((piece) => take(piece, false)),
    end: () => [take('', true)],
  }
}

/** A part of an answer that is shown as one, such as an event, and the texts in it that may go on in the next part. */
interface Part {
  /** By where they are. Absent: it stands between parts, and says nothing. */
  texts?: Map<string, string>
  /** The part with other texts. */
  make(texts: ReadonlyMap<string, string>): unknown
}

/**
 * A model writes in pieces, each in an event of its own, and a secret may be split over them. Whole parts are held while a
 * text in them may be the start of a secret, so that those without are given out as they came.
 */
function partWire({ find, hit }: Search) {
  let held: Part[] = []

  /** The parts that are held, if it is certain what they hold. */
  function settle(isEnd: boolean): unknown[] | undefined {
    const changed = held.map(() => new Map<string, string>())
    const last = held.findLast(({ texts }) => texts)?.texts
    let count = 0
    for (const key of new Set(held.flatMap(({ texts }) => [...(texts?.keys() ?? [])]))) {
      const pieces = held.map(({ texts }) => texts?.get(key) ?? '')
      const text = pieces.join('')
      const isLast = isEnd || !last?.has(key) || held.length > MAX_WAITING || text.length > MAX_HELD
      const { spans, end } = find(text, isLast)
      if (end < text.length) return undefined
      if (spans.length === 0) continue
      count += spans.length
      let from = 0
      for (const [index, piece] of pieces.entries()) {
        const masked = maskPiece(piece, from, spans)
        if (masked !== piece) changed[index]?.set(key, masked)
        from += piece.length
      }
    }
    hit(count)
    const made = held.map(({ make }, index) => make(changed[index] ?? new Map()))
    held = []
    return made
  }

  return {
    push(part: Part): unknown[] {
      held.push(part)
      return settle(false) ?? []
    },
    end: (): unknown[] => settle(true) ?? [],
  }
}

/** One piece of a text, of which the spans are. The mask stands where a secret begins. */
function maskPiece(piece: string, start: number, spans: readonly (readonly [from: number, to: number])[]): string {
  let masked = ''
  let at = 0
  for (const [from, to] of spans) {
    if (to <= start || from >= start + piece.length) continue
    masked += piece.slice(at, Math.max(0, from - start)) + (from >= start ? MASK : '')
    at = Math.min(piece.length, to - start)
  }
  return masked + piece.slice(at)
}

/** Objects, as an app's own protocol has them. */
function valueWire(search: Search): Wire {
  const parts = partWire(search)
  return {
    push: (chunk) =>
      parts.push({ texts: textsOf(chunk), make: (texts) => cleanValue(withTexts(chunk, texts), search) }),
    end: () => parts.end(),
  }
}

/** Lines of an event stream or of JSON. A line is held until its end: before, nobody can read it. */
function lineWire(search: Search): Wire {
  const parts = partWire(search)
  let begun = ''
  const line = (text: string): unknown[] => {
    const [, field = '', content = '', end = ''] = /^(data: ?)?(.*?)(\s*)$/s.exec(text) ?? []
    const clean = (said: string) => search.redactor().text(said)
    const value = field || content.startsWith('{') ? jsonOf(content) : undefined
    // Of an event, a line that is not JSON is text.
    if (!field && !isObject(value)) return parts.push({ make: () => clean(text) })
    if (value === undefined) {
      return parts.push({
        texts: new Map([['', content]]),
        make: (texts) => clean(field + (texts.get('') ?? content) + end),
      })
    }
    return parts.push({
      texts: textsOf(value),
      make: (texts) => clean(texts.size > 0 ? field + JSON.stringify(withTexts(value, texts)) + end : text),
    })
  }
  return {
    push(chunk) {
      const text = String(chunk)
      if (!text.includes('\n')) {
        begun += text
        return []
      }
      const lines = (begun + text).split(/(?<=\n)/)
      begun = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '')
      return lines.flatMap(line)
    },
    end() {
      const rest = begun === '' ? [] : line(begun)
      begun = ''
      return [...rest, ...parts.end()]
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The texts in a value, by their path and the type of the value. Types and ids do not go on in the next value. */
function textsOf(value: unknown): Map<string, string> {
  const texts = new Map<string, string>()
  const type = isObject(value) && typeof value.type === 'string' ? value.type : ''
  let left = MAX_MEMBERS
  const visit = (one: unknown, path: readonly string[]) => {
    left -= 1
    if (left < 0 || path.length > MAX_DEPTH) return
    if (typeof one === 'string') texts.set(JSON.stringify([type, ...path]), one)
    else if (typeof one === 'object' && one !== null && !ArrayBuffer.isView(one)) {
      for (const [name, inner] of Object.entries(one)) {
        if (name !== 'type' && !/id$/i.test(name)) visit(inner, [...path, name])
      }
    }
  }
  visit(value, [])
  return texts
}

/** A copy of a value with other texts, by their keys in {@link textsOf}. */
function withTexts(value: unknown, texts: ReadonlyMap<string, string>): unknown {
  const put = (one: unknown, [name, ...rest]: readonly string[], text: string): unknown => {
    if (name === undefined) return text
    if (Array.isArray(one)) return one.map((inner, index) => (String(index) === name ? put(inner, rest, text) : inner))
    const copy = Object.assign(Object.create(Object.getPrototypeOf(one)), one)
    copy[name] = put(copy[name], rest, text)
    return copy
  }
  let copy = value
  for (const [key, text] of texts) copy = put(copy, (JSON.parse(key) as string[]).slice(1), text)
  return copy
}

/** The value itself if it holds no secret. It is looked at as it will be sent: as JSON. */
function cleanValue(value: unknown, search: Search): unknown {
  const json = sentAs(value)
  const isClean = json !== undefined && search.find(json, true).spans.length === 0
  return isClean ? value : search.redactor().value(value)
}

/** Undefined if JSON cannot say it. */
function sentAs(value: unknown): string | undefined {
  try {
    return (
      JSON.stringify(value, function (this: Record<string, unknown>, key, one: unknown) {
        const own = this[key]
        if (own instanceof Error)
          return { ...own, name: own.name, message: own.message, stack: own.stack, cause: own.cause }
        return ArrayBuffer.isView(own) ? latin1(own) : one
      }) ?? ''
    )
  } catch {
    return undefined
  }
}
