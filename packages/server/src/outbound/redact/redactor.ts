import type { Identity, Provider } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { flatten, spellings } from './encodings.ts'

/** Replaces each secret. */
const MASK = '[redacted]'

/** Shorter secrets are not searched for: they would mask ordinary words. */
const MIN_LENGTH = 6

/** Values nested deeper are masked whole. */
const MAX_DEPTH = 64

/** Removes known secrets from the output of a tool. Made once per request, from the secrets of its accounts. */
export interface Redactor {
  /** Masks the secrets in a text. */
  text(text: string): string
  /** A copy of a value with the secrets masked in every string, key, error and buffer in it. */
  value<T>(value: T): T
  /** Masks a text that arrives in chunks. A chunk's end is held back while it may be the start of a secret. */
  stream(): { push(piece: string): string; end(): string }
}

/** All secrets in these identities: tokens, and the fields of API keys that are not known to be public. */
export function secretsOf(identities: readonly Identity[], providers: readonly Provider[] = []): string[] {
  return identities.flatMap(({ provider: id, accessToken, fields = {} }) => {
    const provider = [...providers, kaggle()].find((one) => one.id === id)
    const known = provider?.kind === 'api-key' ? provider.fields : []
    const isPublic = (name: string) => known.some((field) => field.name === name && !field.secret)
    return [accessToken, ...Object.entries(fields).flatMap(([name, value]) => (isPublic(name) ? [] : [value]))]
  })
}

/**
 * Finds secrets in plain text, base64, URL encoding (also inside a longer value, such as HTTP Basic), hex and JSON escapes,
 * each also when split over lines. It guards against accidents only: code that holds a secret can encode it in another way.
 */
export function createRedactor(secrets: Iterable<string>): Redactor {
  const needles = [...new Set([...secrets].filter((secret) => secret.length >= MIN_LENGTH).flatMap(spellings))]
  const longest = Math.max(0, ...needles.map((needle) => needle.length))

  /** Masks the secrets found. Unless this `isLast`, `rest` is the end of the text that must wait for more. */
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
      // A span that reaches past the end is left for later: a longer secret may begin inside it.
      if (to > end && from >= end) break
      if (from >= at) masked += text.slice(at, from) + MASK
      at = Math.max(at, to)
    }
    return at >= end
      ? { masked, rest: text.slice(at) }
      : { masked: masked + text.slice(at, end), rest: text.slice(end) }
  }

  /** The index from which the end of a text may be the start of a secret. */
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
    const members = Object.entries(value).map(([key, one]) => [text(key), inner(one)])
    // Defined, not assigned: a key may be `__proto__`.
    return Object.defineProperties(object, Object.getOwnPropertyDescriptors(Object.fromEntries(members)))
  }

  function copyBytes(bytes: Uint8Array<ArrayBufferLike>): Uint8Array {
    const found = Buffer.from(bytes).toString('latin1')
    const masked = text(found)
    return masked === found ? bytes : new Uint8Array(Buffer.from(masked, 'latin1'))
  }

  /** Keeps the error's class if its text holds no secret, because callers use `instanceof`. */
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

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return String(value)
  }
}
