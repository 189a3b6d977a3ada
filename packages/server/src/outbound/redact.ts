import type { Identity, Provider } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'

/** What stands where a secret stood. */
const MASK = '[redacted]'

/** Shorter values would mask ordinary words. */
const MIN_LENGTH = 6

/** Deeper values are not looked into, but masked whole. */
const MAX_DEPTH = 64

/** Takes known secrets out of whatever leaves a tool. Made once per request, from the secrets of its accounts. */
export interface Redactor {
  /** Masks the secrets in a text. */
  text(text: string): string
  /** A copy of a value with the secrets masked in every string, key, error and buffer in it. */
  value<T>(value: T): T
  /** The same for a text that comes in pieces: what may be the beginning of a secret waits for the next piece. */
  stream(): { push(piece: string): string; end(): string }
}

/**
 * Finds secrets as they are, base64- and URL-encoded (also as part of something longer, such as HTTP Basic), in hex and
 * as escapes of JSON, each also when split over lines. It is the last line of defence, against accidents: code that
 * holds a secret can always spell it in a way nobody knows. Keep secrets out of reach first.
 */
export function createRedactor(secrets: Iterable<string>): Redactor {
  const needles = [...new Set([...secrets].filter((secret) => secret.length >= MIN_LENGTH).flatMap(spellings))]
  const longest = Math.max(0, ...needles.map((needle) => needle.length))

  /** Masks what is found before `until`; also where in the text the rest begins. */
  function mask(text: string, isLast: boolean): { masked: string; rest: string } {
    if (needles.length === 0) return { masked: text, rest: '' }
    const { plain, starts, ends, whole } = flatten(text, !isLast)
    const spans: [from: number, to: number][] = []
    for (const needle of needles) {
      for (let at = plain.indexOf(needle); at >= 0; at = plain.indexOf(needle, at + 1)) {
        spans.push([starts[at] ?? 0, ends[at + needle.length - 1] ?? 0])
      }
    }
    const end = isLast ? text.length : Math.min(whole, beginning(plain, starts, whole))
    let masked = ''
    let at = 0
    for (const [from, to] of spans.sort((a, b) => a[0] - b[0])) {
      // A span that reaches past the end is not finished: a longer secret may begin inside it.
      if (to > end && from >= end) break
      if (from >= at) masked += text.slice(at, from) + MASK
      at = Math.max(at, to)
    }
    return at >= end
      ? { masked, rest: text.slice(at) }
      : { masked: masked + text.slice(at, end), rest: text.slice(end) }
  }

  /** Where, at the end of a text, a secret may begin whose rest is still to come. */
  function beginning(plain: string, starts: number[], end: number): number {
    for (let at = Math.max(0, plain.length - longest + 1); at < plain.length; at++) {
      const tail = plain.slice(at)
      if (needles.some((needle) => needle.startsWith(tail))) return starts[at] ?? end
    }
    return end
  }

  const text = (given: string) => mask(given, true).masked

  function copy(value: unknown, depth: number, seen: Map<object, unknown>): unknown {
    if (typeof value === 'string') return text(value)
    if (typeof value !== 'object' || value === null) return value
    const known = seen.get(value)
    if (known !== undefined) return known
    if (depth > MAX_DEPTH) return MASK
    const inner = (one: unknown) => copy(one, depth + 1, seen)
    if (value instanceof Date || value instanceof RegExp) return value
    if (value instanceof URL) return text(value.href)
    if (value instanceof ArrayBuffer) return copyBytes(new Uint8Array(value)).buffer
    if (ArrayBuffer.isView(value)) {
      return copyBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    }
    if (value instanceof Error) return copyError(value, depth, seen)
    if (Array.isArray(value)) {
      const list: unknown[] = []
      seen.set(value, list)
      for (const one of value) list.push(inner(one))
      return list
    }
    if (value instanceof Map) return new Map([...value].map(([key, one]) => [inner(key), inner(one)]))
    if (value instanceof Set) return new Set([...value].map(inner))
    const object: Record<string, unknown> = {}
    seen.set(value, object)
    const given = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON() : value
    if (given !== value) return inner(given)
    for (const [key, one] of Object.entries(value)) {
      Object.defineProperty(object, text(key), {
        value: inner(one),
        enumerable: true,
        configurable: true,
        writable: true,
      })
    }
    return object
  }

  function copyBytes(bytes: Uint8Array<ArrayBufferLike>): Uint8Array {
    const found = Buffer.from(bytes).toString('latin1')
    const masked = text(found)
    return masked === found ? bytes : new Uint8Array(Buffer.from(masked, 'latin1'))
  }

  /** Keeps the class of an error whose words are clean: callers tell errors apart by it. */
  function copyError(error: Error, depth: number, seen: Map<object, unknown>): Error {
    const said = [error.message, error.stack ?? '', ...Object.values(error).map((one) => safeJson(one))].join('\n')
    if (text(said) === said && error.cause === undefined) return error
    const clean = new Error(text(error.message))
    seen.set(error, clean)
    clean.name = error.name
    clean.stack = text(error.stack ?? '')
    if (error.cause !== undefined) clean.cause = copy(error.cause, depth + 1, seen)
    for (const [key, one] of Object.entries(error)) Object.assign(clean, { [key]: copy(one, depth + 1, seen) })
    return clean
  }

  return {
    text,
    value: <T>(value: T) => copy(value, 0, new Map()) as T,
    stream() {
      let held = ''
      return {
        push(piece) {
          const { masked, rest } = mask(held + piece, false)
          held = rest
          return masked
        },
        end() {
          const last = text(held)
          held = ''
          return last
        },
      }
    },
  }
}

/** Everything secret in these identities: their tokens, and of a key's other fields those not known to be public. */
export function secretsOf(identities: readonly Identity[], providers: readonly Provider[] = []): string[] {
  return identities.flatMap(({ provider: id, accessToken, fields = {} }) => {
    const provider = [...providers, kaggle()].find((one) => one.id === id)
    const known = provider?.kind === 'api-key' ? provider.fields : []
    const isPublic = (name: string) => known.some((field) => field.name === name && !field.secret)
    return [accessToken, ...Object.entries(fields).flatMap(([name, value]) => (isPublic(name) ? [] : [value]))]
  })
}

/** Every way a secret is searched for, in the plain form that {@link flatten} gives to a text. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  const forms = new URLSearchParams({ s: secret }).toString().slice(2)
  return [secret, ...base64(bytes), hex, hex.toUpperCase(), forms].map((one) => flatten(one).plain)
}

/** Base64 of bytes that stand anywhere inside longer ones: three alignments, without the digits shared with neighbours. */
function base64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const shared = (before + bytes.length) % 3 === 0 ? 0 : 1
    const own = encoded.slice([0, 2, 3][before], encoded.length - shared)
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** A text in a plainer form, and where each of its characters stands in the original. */
interface Plain {
  plain: string
  starts: number[]
  ends: number[]
}

// White space as it is, as JSON writes it and as URLs do.
const WHITE = /\s+|\\[nrt]|%(?:25)*(?:0[9AaDd]|20)/g
const UNFINISHED_WHITE = /(?:%(?:2|25)*0?|\\)$/
// Characters as URLs, JSON and program texts write them.
const ESCAPE = /%(?:25)*([0-9A-Fa-f]{2})|\\u00([0-9A-Fa-f]{2})|\\x([0-9A-Fa-f]{2})/g
const UNFINISHED_ESCAPE = /(?:%(?:2|25)*[0-9A-Fa-f]?|\\(?:x[0-9A-Fa-f]?|u0{0,2}[0-9A-Fa-f]?)?)$/

/**
 * A text without white space and escapes: in this order, since an escape can be split over lines too. With `more` to
 * come, what may be the first half of an escape is left out; `whole` says up to where the text was read.
 */
function flatten(text: string, more = false): Plain & { whole: number } {
  const cut = (at: string, unfinished: RegExp) => (more ? (unfinished.exec(at.slice(-64))?.[0].length ?? 0) : 0)
  const dense = replace(text.slice(0, text.length - cut(text, UNFINISHED_WHITE)), WHITE)
  const length = dense.plain.length - cut(dense.plain, UNFINISHED_ESCAPE)
  const { plain, starts, ends } = replace(dense.plain.slice(0, length), ESCAPE)
  return {
    plain,
    starts: starts.map((at) => dense.starts[at] ?? 0),
    ends: ends.map((at) => dense.ends[at - 1] ?? 0),
    whole: length < dense.plain.length ? (dense.starts[length] ?? 0) : text.length - cut(text, UNFINISHED_WHITE),
  }
}

function replace(text: string, pattern: RegExp): Plain {
  const parts: string[] = []
  const starts: number[] = []
  const ends: number[] = []
  const keep = (from: number, to: number) => {
    parts.push(text.slice(from, to))
    for (let at = from; at < to; at++) {
      starts.push(at)
      ends.push(at + 1)
    }
  }
  let at = 0
  for (const match of text.matchAll(pattern)) {
    keep(at, match.index)
    at = match.index + match[0].length
    const code = match[1] ?? match[2] ?? match[3]
    if (code === undefined) continue
    parts.push(String.fromCharCode(Number.parseInt(code, 16)))
    starts.push(match.index)
    ends.push(at)
  }
  keep(at, text.length)
  return { plain: parts.join(''), starts, ends }
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return String(value)
  }
}
