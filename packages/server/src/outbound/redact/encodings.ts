import { endianness } from 'node:os'

/** The encodings of a secret to search for, in the form that {@link flatten} returns. */
export function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  const forms = new URLSearchParams({ s: secret }).toString().slice(2)
  // A text's last backslash has nothing to escape, so a secret is searched for without it.
  return [secret, ...base64(bytes), hex, hex.toUpperCase(), forms].map((one) => plainOf(one).replace(/\\+$/, ''))
}

/** Base64 of bytes inside a longer value: three alignments, each without the digits that depend on adjacent bytes. */
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

/** A text without white space and with escapes decoded. The next call of {@link flatten} writes over it. */
export interface Flat {
  /** Character codes, of which only the first `length` count. */
  codes: Uint16Array
  length: number
  /** Index in the text from which a character comes. */
  startOf(at: number): number
  /** Index in the text after a character. */
  endOf(at: number): number
  /** Index up to which the text was read. */
  whole: number
}

// White space: literal, JSON-escaped and URL-encoded. JSON inside of JSON has more than one backslash.
//   \s+ | (?<!\\)\\+[nrt] | %(25)*(0[9AaDd]|20)
// Escapes of URLs, JSON and source code.
//   %(25)*[0-9A-Fa-f]{2} | (?<!\\)\\+(u00[0-9A-Fa-f]{2} | x[0-9A-Fa-f]{2} | [^\\])
// Both are read by code, which is several times faster than by these expressions.
const UNFINISHED_WHITE = /(?:%(?:2|25)*0?|\\+)$/
const UNFINISHED_ESCAPE = /(?:%(?:2|25)*[0-9A-Fa-f]?|\\+(?:x[0-9A-Fa-f]?|u0{0,2}[0-9A-Fa-f]?)?)$/
/** Characters of a text's end that are looked at for one that is not finished. */
const END = 64

const [PERCENT, BACKSLASH, ZERO, TWO, FIVE, LETTER_U, LETTER_X] = [0x25, 0x5c, 0x30, 0x32, 0x35, 0x75, 0x78]

/** What a character is: 0 is ordinary. */
const [WHITE, ESCAPE] = [1, 2]
const KINDS = Uint8Array.from({ length: 65_536 }, (_, code) => (/\s/.test(String.fromCharCode(code)) ? WHITE : 0))
KINDS[PERCENT] = ESCAPE
KINDS[BACKSLASH] = ESCAPE
const isOneOf = (letters: string, code: number) => letters.includes(String.fromCharCode(code))

interface Room {
  size: number
  /** The text as it is. Its characters are read from here, since a text may be made of others. */
  text: Uint16Array
  /** The same memory. */
  bytes: Buffer
  codes: Uint16Array
  /** Index in the text of each character that is not white space. */
  origins: Int32Array
  /** Index in `origins` of each character, after escapes were decoded. */
  firsts: Int32Array
}

function roomFor(size: number): Room {
  const text = new Uint16Array(size)
  return {
    size,
    text,
    bytes: Buffer.from(text.buffer),
    codes: new Uint16Array(size),
    origins: new Int32Array(size),
    firsts: new Int32Array(size + 1),
  }
}
/** Used again by each text that it is large enough for: most are pieces of one size. */
let kept = roomFor(0)
const IS_BIG_ENDIAN = endianness() === 'BE'
/** Characters that room is kept for. */
const MOST = 512 * 1024

/**
 * Removes white space, then decodes escapes. In this order, because an escape can be split over lines. With `more` text to
 * come, a possible first half of an escape is left out.
 */
export function flatten(text: string, more = false): Flat {
  const room = text.length <= kept.size ? kept : roomFor(Math.max(text.length, Math.min(MOST, 2 * kept.size)))
  if (room.size <= MOST) kept = room
  const { bytes, codes, origins, firsts } = room
  bytes.write(text, 'utf16le')
  if (IS_BIG_ENDIAN) bytes.subarray(0, 2 * text.length).swap16()
  const end = text.length - (more ? (UNFINISHED_WHITE.exec(text.slice(-END))?.[0].length ?? 0) : 0)
  const dense = removeWhite(end, room)
  const tail =
    more && dense.hasEscapes
      ? String.fromCharCode(...codes.subarray(Math.max(0, dense.length - END), dense.length))
      : ''
  const read = dense.length - (UNFINISHED_ESCAPE.exec(tail)?.[0].length ?? 0)
  const whole = read < dense.length ? (origins[read] ?? 0) : end
  if (!dense.hasEscapes) {
    return { codes, length: read, startOf: (at) => origins[at] ?? 0, endOf: (at) => (origins[at] ?? 0) + 1, whole }
  }
  return {
    codes,
    length: decode(room, read),
    startOf: (at) => origins[firsts[at] ?? 0] ?? 0,
    endOf: (at) => (origins[(firsts[at + 1] ?? 0) - 1] ?? 0) + 1,
    whole,
  }
}

/** Writes the characters that are not white space into the room. */
function removeWhite(end: number, { text, codes, origins }: Room): { length: number; hasEscapes: boolean } {
  let length = 0
  let hasEscapes = false
  for (let at = 0; at < end; ) {
    const code = text[at] ?? 0
    const kind = KINDS[code]
    let to = at + 1
    if (kind === ESCAPE) {
      to = escapedWhite(text, at, end)
      if (to > 0) hasEscapes = true
    }
    if (kind === WHITE || to < 0) {
      at = Math.abs(to)
      continue
    }
    do {
      codes[length] = code
      origins[length++] = at++
    } while (at < to)
  }
  return { length, hasEscapes }
}

/** Where an escape ends that means white space, as a negative number. Else where the characters like its first one end. */
function escapedWhite(text: Uint16Array, at: number, end: number): number {
  let to = at + 1
  if (text[at] === BACKSLASH) {
    while (to < end && text[to] === BACKSLASH) to += 1
    return to < end && isOneOf('nrt', text[to] ?? 0) ? -(to + 1) : to
  }
  while (to + 1 < end && text[to] === TWO && text[to + 1] === FIVE) to += 2
  if (to + 1 >= end) return at + 1
  const [first = 0, second = 0] = [text[to], text[to + 1]]
  const isWhite = (first === ZERO && isOneOf('9AaDd', second)) || (first === TWO && second === ZERO)
  return isWhite ? -(to + 2) : at + 1
}

/** Decodes escapes in place. Returns the number of characters that are left. */
function decode({ codes, firsts }: Room, length: number): number {
  const codeAt = (at: number) => (at < length ? (codes[at] ?? -1) : -1)
  const byteAt = (at: number) => 16 * digitOf(codeAt(at)) + digitOf(codeAt(at + 1))
  let out = 0
  for (let at = 0; at < length; ) {
    let code = codes[at] ?? 0
    firsts[out] = at
    at += 1
    if (KINDS[code] === ESCAPE) {
      if (code === PERCENT) {
        while (codeAt(at) === TWO && codeAt(at + 1) === FIVE) at += 2
        const byte = byteAt(at)
        if (byte >= 0) {
          code = byte
          at += 2
        }
      } else {
        let run = at - 1
        while (codeAt(at) === BACKSLASH) at += 1
        if (at === length) {
          // They escape nothing.
          for (; run < length; run++) {
            firsts[out] = run
            codes[out++] = BACKSLASH
          }
          break
        }
        const letter = codeAt(at)
        const isLong = letter === LETTER_U && codeAt(at + 1) === ZERO && codeAt(at + 2) === ZERO
        const digits = isLong ? at + 3 : letter === LETTER_X ? at + 1 : length
        const byte = byteAt(digits)
        code = byte >= 0 ? byte : letter
        at = byte >= 0 ? digits + 2 : at + 1
      }
    }
    codes[out++] = code
  }
  firsts[out] = length
  return out
}

/** The value of a hexadecimal digit. Of anything else so little that no byte with it is positive. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -256
}

function plainOf(text: string): string {
  const { codes, length } = flatten(text)
  let plain = ''
  for (let at = 0; at < length; at++) plain += String.fromCharCode(codes[at] ?? 0)
  return plain
}
