import { setImmediate } from 'node:timers/promises'
import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { type Flat, flatten, spellings } from './encodings.ts'

/** Replaces each secret. */
export const MASK = '[redacted]'

/** Shorter secrets are not searched for: they would mask ordinary words. */
const MIN_LENGTH = 6

/** Values nested deeper are masked whole. */
const MAX_DEPTH = 64

/** Maximum characters and bytes of one value. A member that is not text counts as {@link MEMBER} of them. */
const MAX_SIZE = 16 * 1024 * 1024
const MEMBER = 32

/** Characters that are masked at once, before other work may run. */
const PIECE = 64 * 1024

/** Characters that wait for more. A secret between which and its end there is more white space was not sent by accident. */
const MAX_HELD = 4 * PIECE

/** The work for one value, which can pause at each `yield`. */
type Work<T> = Generator<undefined, T>

/** Removes known secrets from the output of a tool. Made once per request, from the secrets of its accounts. */
export interface Redactor {
  /** Masks the secrets in a text. */
  text(text: string): string
  /**
   * A copy of a value, of the same type, with the secrets masked in every string, key, error, buffer, stream and response
   * in it.
   *
   * @throws LatchkeyError `malformed_response` if it is larger than 16 MB, where each member counts as 32 bytes.
   */
  value<T>(value: T): T
  /** Like `value`, but lets other work run meanwhile, for values that may be large. */
  later<T>(value: T): Promise<T>
  /** Masks a text that arrives in chunks. A chunk's end is held back while it may be the start of a secret. */
  stream(): { push(piece: string): string; end(): string }
  /** Masks a stream of bytes or of text. */
  through(): TransformStream
}

/** Made once: each chunk of an answer asks for the secrets of its run. */
const KAGGLE: Provider = kaggle()

/** All secrets in these identities: tokens, and the fields of API keys that are not known to be public. */
export function secretsOf(identities: readonly Identity[], providers: readonly Provider[] = []): string[] {
  return identities.flatMap(({ provider: id, accessToken, fields = {} }) => {
    const provider = providers.find((one) => one.id === id) ?? (id === KAGGLE.id ? KAGGLE : undefined)
    const known = provider?.kind === 'api-key' ? provider.fields : []
    const isPublic = (name: string) => known.some((field) => field.name === name && !field.secret)
    return [accessToken, ...Object.entries(fields).flatMap(([name, value]) => (isPublic(name) ? [] : [value]))]
  })
}

/** Where secrets are in a text, in order and apart, and the index up to which that is certain. */
export type Find = (text: string, isEnd: boolean) => { spans: [from: number, to: number][]; end: number }

/**
 * Finds secrets in a text. Unless it `isEnd`, its end may have to wait for more.
 *
 * @param least shorter secrets are not searched for.
 */
export function finderOf(secrets: Iterable<string>, least = MIN_LENGTH): Find {
  const long = [...secrets].filter((secret) => secret.length >= least)
  // Of a secret of white space or backslashes, nothing is left to search for.
  const needles = [...new Set(long.flatMap(spellings))].filter((needle) => needle.length > 3)
  if (needles.length === 0) return (text) => ({ spans: [], end: text.length })
  const { occurrences, beginning } = searcherOf(needles)
  const shortest = Math.min(...needles.map(({ length }) => length))
  return (text, isEnd) => {
    if (isEnd && text.length < shortest) return { spans: [], end: text.length }
    const isLast = isEnd || text.length > MAX_HELD
    const flat = flatten(text, !isLast)
    const found = occurrences(flat).map(([from, to]) => [flat.startOf(from), flat.endOf(to - 1)] as const)
    const start = isLast ? flat.length : beginning(flat)
    const end = isLast ? text.length : start < flat.length ? flat.startOf(start) : flat.whole
    const spans: [from: number, to: number][] = []
    let at = 0
    for (const [from, to] of found.sort((a, b) => a[0] - b[0])) {
      // A span that reaches past the end is left for later: a longer secret may begin inside it.
      if (to > end && from >= end) break
      const last = spans.at(-1)
      if (last && from < at) last[1] = Math.max(at, to)
      else spans.push([from, to])
      at = Math.max(at, to)
    }
    return { spans, end: Math.max(at, end) }
  }
}

/** Characters that are looked at together, and bits of what is remembered of them. */
const GRAM = 3
const BITS = 15

const gramAt = (codes: ArrayLike<number>, at: number) =>
  ((codes[at] ?? 0) ^ ((codes[at + 1] ?? 0) << 5) ^ ((codes[at + 2] ?? 0) << 10)) & ((1 << BITS) - 1)

/**
 * Finds several needles at once, of more than three characters. Of each only its first characters count, as many as the
 * shortest has: a text is looked at in steps that none of these fits between. @see Wu and Manber 1994
 */
function searcherOf(texts: readonly string[]) {
  const needles = texts.map((text) => Uint16Array.from(text, (one) => one.charCodeAt(0)))
  const longest = Math.max(...needles.map(({ length }) => length))
  const step = Math.min(...needles.map(({ length }) => length)) - GRAM + 1
  const isKnown = new Uint8Array(1 << BITS)
  const places = new Map<number, [needle: Uint16Array, at: number][]>()
  /** By the lowest byte of their first characters. */
  const isFirst = new Uint8Array(256)
  for (const needle of needles) {
    isFirst[(needle[0] ?? 0) & 255] = 1
    for (let at = 0; at < step; at++) {
      const gram = gramAt(needle, at)
      isKnown[gram] = 1
      places.set(gram, [...(places.get(gram) ?? []), [needle, at]])
    }
  }
  /** Whether a text goes on with a needle, until the end of one of them. */
  const goesOn = ({ codes, length }: Flat, from: number, needle: Uint16Array) => {
    const most = Math.min(needle.length, length - from)
    for (let at = 0; at < most; at++) if (codes[from + at] !== needle[at]) return false
    return true
  }
  return {
    occurrences(flat: Flat): [from: number, to: number][] {
      const { codes, length } = flat
      const found: [from: number, to: number][] = []
      for (let at = 0; at + GRAM <= length; at += step) {
        const gram = gramAt(codes, at)
        if (isKnown[gram] !== 1) continue
        for (const [needle, before] of places.get(gram) ?? []) {
          const [from, to] = [at - before, at - before + needle.length]
          if (from >= 0 && to <= length && goesOn(flat, from, needle)) found.push([from, to])
        }
      }
      return found
    },
    /** The index from which the end of a text may be the start of a needle. */
    beginning(flat: Flat): number {
      for (let at = Math.max(0, flat.length - longest + 1); at < flat.length; at++) {
        if (isFirst[(flat.codes[at] ?? 0) & 255] !== 1) continue
        if (needles.some((needle) => flat.length - at <= needle.length && goesOn(flat, at, needle))) return at
      }
      return flat.length
    },
  }
}

/** The certain part of a text, with a mask in the place of each secret that was found in it. */
export function maskAt(text: string, { spans, end }: ReturnType<Find>): string {
  let masked = ''
  let at = 0
  for (const [from, to] of spans) {
    masked += text.slice(at, from) + MASK
    at = to
  }
  return masked + text.slice(at, end)
}

/**
 * Finds secrets in plain text, base64, URL encoding (also inside a longer value, such as HTTP Basic), hex and JSON escapes,
 * each also when split over lines. It guards against accidents only: code that holds a secret can encode it in another way.
 */
export function createRedactor(secrets: Iterable<string>): Redactor {
  return redactorOf(finderOf(secrets))
}

/** @param onMask called with the number of secrets masked at once. */
export function redactorOf(find: Find, onMask?: (count: number) => void): Redactor {
  /** Masks the secrets found. Unless this `isEnd`, `rest` is the end of the text that must wait for more. */
  function mask(text: string, isEnd: boolean): { masked: string; rest: string } {
    const found = find(text, isEnd)
    if (found.spans.length > 0) onMask?.(found.spans.length)
    return { masked: maskAt(text, found), rest: text.slice(found.end) }
  }

  function stream() {
    let held = ''
    const take = (piece: string, isLast: boolean) => {
      const { masked, rest } = mask(held + piece, isLast)
      held = rest
      return masked
    }
    return {
      push: (given: string) => [...piecesOf(given)].map((piece) => take(piece, false)).join(''),
      end: () => take('', true),
    }
  }

  function* whole(text: string): Work<string> {
    if (text.length <= PIECE) return mask(text, true).masked
    const { push, end } = stream()
    let masked = ''
    for (const piece of piecesOf(text)) {
      masked += push(piece)
      yield
    }
    return masked + end()
  }

  function through() {
    const { push, end } = stream()
    let isText = false
    const make = (masked: string) => (isText ? masked : new Uint8Array(Buffer.from(masked, 'latin1')))
    return new TransformStream<string | Uint8Array, string | Uint8Array>({
      async transform(chunk, controller) {
        isText = typeof chunk === 'string'
        for (const piece of piecesOf(typeof chunk === 'string' ? chunk : latin1(chunk))) {
          const masked = push(piece)
          if (masked) controller.enqueue(make(masked))
          if (piece.length === PIECE) await setImmediate()
        }
      },
      flush(controller) {
        const last = end()
        if (last) controller.enqueue(make(last))
      },
    })
  }

  const later = async <T>(value: T): Promise<T> => {
    const work = copyOf(value, whole, through)
    let step = work.next()
    for (; !step.done; step = work.next()) await setImmediate()
    return step.value as T
  }
  return {
    text: (given) => atOnce(whole(given)),
    value: <T>(value: T) => atOnce(copyOf(value, whole, through)) as T,
    later,
    stream,
    through,
  }
}

function atOnce<T>(work: Work<T>): T {
  let step = work.next()
  while (!step.done) step = work.next()
  return step.value
}

/** Pieces of a size that is quickly done. */
export function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += PIECE) yield text.slice(at, at + PIECE)
}

/** Bytes as a text with one character for each, so that masking keeps every other byte. */
export const latin1 = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('latin1')

/** A copy of a value in which each text has gone through `whole`, and each stream through `through`. */
function copyOf(value: unknown, whole: (text: string) => Work<string>, through: () => TransformStream): Work<unknown> {
  const seen = new Map<object, unknown>()
  let done = 0
  let left = MAX_SIZE
  /** Pays for a part before it is read: a sparse array costs its owner nothing. */
  const spend = (size: number) => {
    left -= size
    if (left >= 0) return
    const message = `The value is larger than ${MAX_SIZE / 1024 / 1024} MB, where each member counts as ${MEMBER} bytes.`
    throw new LatchkeyError('malformed_response', message, { next: 'none' })
  }

  function* copy(value: unknown, depth: number): Work<unknown> {
    const size = typeof value === 'string' ? value.length : MEMBER
    spend(size)
    done += size
    if (done > PIECE) {
      done = 0
      yield
    }
    if (typeof value === 'string') return yield* whole(value)
    if (typeof value !== 'object' || value === null) return value
    const known = seen.get(value)
    if (known !== undefined) return known
    if (depth > MAX_DEPTH) return MASK
    if (value instanceof Date || value instanceof RegExp) return value
    if (value instanceof URL) return toUrl(yield* whole(value.href))
    if (value instanceof ArrayBuffer) return (yield* copyBytes(new Uint8Array(value))).buffer
    if (ArrayBuffer.isView(value)) return yield* copyBytes(value)
    if (value instanceof ReadableStream) return value.locked ? MASK : value.pipeThrough(through())
    if (value instanceof Map || value instanceof Set) return yield* copyCollection(value, depth + 1)
    if (value instanceof Headers) return new Headers((yield* copy([...value], 0)) as [string, string][])
    if (value instanceof URLSearchParams) return new URLSearchParams((yield* copy([...value], 0)) as [string, string][])
    if (value instanceof Response) return yield* copyResponse(value)
    if (value instanceof Error) return yield* copyError(value, depth)
    return yield* copyMembers(value, depth + 1)
  }

  /** The copy is made before its members, which may hold it. */
  function* copyCollection(value: Map<unknown, unknown> | Set<unknown>, depth: number): Work<unknown> {
    const copied = value instanceof Map ? new Map<unknown, unknown>() : new Set<unknown>()
    seen.set(value, copied)
    for (const [key, one] of value.entries()) {
      const member = yield* copy(one, depth)
      if (copied instanceof Set) copied.add(member)
      else copied.set(yield* copy(key, depth), member)
    }
    return copied
  }

  function* copyMembers(value: object, depth: number): Work<unknown> {
    if (Array.isArray(value)) {
      spend(value.length * MEMBER)
      const list: unknown[] = []
      seen.set(value, list)
      for (const one of value) list.push(yield* copy(one, depth))
      return list
    }
    const given = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON() : value
    if (given !== value) return yield* copy(given, depth)
    // What the platform made has parts that cannot be copied.
    const isOrdinary = Object.prototype.toString.call(value) === '[object Object]'
    const object: object = Object.create(isOrdinary ? Object.getPrototypeOf(value) : Object.prototype)
    seen.set(value, object)
    for (const [key, one] of Object.entries(value)) define(object, yield* whole(key), yield* copy(one, depth), true)
    return object
  }

  function* copyBytes<View extends ArrayBufferView>(view: View): Work<View> {
    spend(view.byteLength)
    const found = latin1(view)
    const masked = yield* whole(found)
    if (masked === found) return view
    const bytes = Buffer.from(masked, 'latin1')
    const { BYTES_PER_ELEMENT: size = 1 } = view as { BYTES_PER_ELEMENT?: number }
    const padded = new Uint8Array(Math.ceil(bytes.length / size) * size)
    padded.set(bytes)
    if (Buffer.isBuffer(view)) return Buffer.from(padded.buffer) as ArrayBufferView as View
    return new (view.constructor as new (buffer: ArrayBuffer) => View)(padded.buffer)
  }

  function* copyResponse(response: Response): Work<Response> {
    const { status, statusText, body, bodyUsed } = response
    // No such response can be made.
    if (status < 200) return response
    const headers = (yield* copy(response.headers, 0)) as Headers
    headers.delete('content-length')
    return new Response(bodyUsed ? null : body?.pipeThrough(through()), { status, statusText, headers })
  }

  /** Returns the error itself if it holds no secret. */
  function* copyError(error: Error, depth: number): Work<Error> {
    const clean = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error))
    seen.set(error, clean)
    let isSame = true
    // An AggregateError's errors cannot be enumerated; a DOMException's message is not its own.
    for (const key of new Set(['name', 'message', 'stack', ...Reflect.ownKeys(error)])) {
      const one = Reflect.get(error, key)
      const masked = yield* copy(one, depth + 1)
      isSame &&= Object.is(one, masked)
      define(clean, key, masked, Object.prototype.propertyIsEnumerable.call(error, key))
    }
    if (isSame) seen.set(error, error)
    return isSame ? error : clean
  }

  return copy(value, 0)
}

/** Defines a member, since `__proto__` cannot be assigned. */
const define = (object: object, key: PropertyKey, value: unknown, enumerable: boolean) =>
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true })

const toUrl = (text: string) => (URL.canParse(text) ? new URL(text) : text)
