/** The encodings of a secret to search for, in the form that {@link flatten} returns. */
export function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  const forms = new URLSearchParams({ s: secret }).toString().slice(2)
  // A text's last backslash has nothing to escape, so a secret is searched for without it.
  return [secret, ...base64(bytes), hex, hex.toUpperCase(), forms].map((one) => scan(one).plain.replace(/\\+$/, ''))
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

/** A flattened text, and the index in the original of each of its characters. */
interface Plain {
  plain: string
  starts: number[]
  ends: number[]
}

// White space: literal, JSON-escaped and URL-encoded. JSON inside of JSON has more than one backslash. They are read from the
// first one only, so that a million of them take no longer than they should.
const WHITE = /\s+|(?<!\\)\\+[nrt]|%(?:25)*(?:0[9AaDd]|20)/g
const UNFINISHED_WHITE = /(?:%(?:2|25)*0?|\\+)$/
// Escapes of URLs, JSON and source code.
const ESCAPE = /%(?:25)*([0-9A-Fa-f]{2})|(?<!\\)\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|([^\\]))/g
const UNFINISHED_ESCAPE = /(?:%(?:2|25)*[0-9A-Fa-f]?|\\+(?:x[0-9A-Fa-f]?|u0{0,2}[0-9A-Fa-f]?)?)$/

/** What an escape stands for. White space stands for nothing. */
const meaning = ([, inUrl, inJson, inSource, itself = '']: readonly (string | undefined)[]): string => {
  const code = inUrl ?? inJson ?? inSource
  return code === undefined ? itself : String.fromCharCode(Number.parseInt(code, 16))
}

/** {@link flatten} without the indexes, which is much faster. `isOpen`: the text may end with the first half of an escape. */
export function scan(text: string): { plain: string; isOpen: boolean } {
  const dense = text.replace(WHITE, '')
  const isOpen = UNFINISHED_WHITE.test(text.slice(-64)) || UNFINISHED_ESCAPE.test(dense.slice(-64))
  return { plain: dense.replace(ESCAPE, (...match) => meaning(match.slice(0, 5))), isOpen }
}

/**
 * Removes white space, then decodes escapes. In this order, because an escape can be split over lines. With `more` text to
 * come, a possible first half of an escape is left out; `whole` is the index up to which the text was read.
 */
export function flatten(text: string, more = false): Plain & { whole: number } {
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
    const meant = meaning(match)
    if (meant === '') continue
    parts.push(meant)
    starts.push(match.index)
    ends.push(at)
  }
  keep(at, text.length)
  return { plain: parts.join(''), starts, ends }
}
