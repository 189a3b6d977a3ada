/** What a protected resource says when it wants a token, or a better one. @see RFC 6750 §3 · RFC 9728 §5.1 */
export interface Challenge {
  /** Where its metadata is. */
  resource_metadata?: string
  /** Scopes it wants, separated by spaces. */
  scope?: string
  error?: string
}

/** More than any honest server sends; the rest is not read. */
const MAX_HEADER = 16 * 1024
const MAX_CHALLENGES = 16

/**
 * A name and, after "=", its value, which may be quoted, also by single quotes, or be an address without any. Or a stray
 * quote, which hides what is inside it. The text is read once: what one part takes, no other part could take.
 */
const PART =
  /([\w!#$%&'*+.^`|~/-]+)[ \t]*(?:(=+)[ \t]*(?:"((?:\\.|[^"\\])*)"?|'([^'"]*)'|([^\s,;"]*)))?|"(?:\\.|[^"\\])*"?/gs

interface AnyChallenge {
  scheme: string
  /** By lower-case name. */
  parameters: Map<string, string>
}

/**
 * Every challenge of a `WWW-Authenticate` field, in one pass over it: several schemes in one line, quoted values,
 * token68 credentials. What is malformed is passed over; it never throws.
 *
 * @see RFC 9110 §11.6.1
 */
export function parseChallenges(header: string): AnyChallenge[] {
  const found: AnyChallenge[] = []
  for (const [, name, equals, quoted, single, word] of header.slice(0, MAX_HEADER).matchAll(PART)) {
    if (!name) continue
    const key = name.toLowerCase()
    if (!equals) {
      if (found.length === MAX_CHALLENGES) break
      found.push({ scheme: key, parameters: new Map() })
      continue
    }
    const value = quoted?.replace(/\\(.)/gs, '$1') ?? single ?? word
    const parameters = found.at(-1)?.parameters
    // The first of two with one name counts.
    if (value && parameters && !parameters.has(key)) parameters.set(key, value)
  }
  return found
}

/** The Bearer challenge of an answer, or undefined when it has none. */
export function readChallenge(headers: Headers): Challenge | undefined {
  const found = parseChallenges(headers.get('www-authenticate') ?? '')
  const parameters = found.find(({ scheme }) => scheme === 'bearer')?.parameters
  if (!parameters) return undefined
  const read = ['resource_metadata', 'scope', 'error'].filter((name) => parameters.has(name))
  return Object.fromEntries(read.map((name) => [name, parameters.get(name)]))
}

/** Scope names in a space-separated list, each once. @see RFC 6749 §3.3 */
export const scopeNames = (scope: string | undefined): string[] => [
  ...new Set((scope ?? '').split(/\s+/).filter((name) => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(name))),
]
