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
const TOKEN = /[\w!#$%&'*+.^`|~/-]/

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
  const text = header.slice(0, MAX_HEADER)
  const found: AnyChallenge[] = []
  let at = 0
  const skip = (characters: string) => {
    while (at < text.length && characters.includes(text[at]!)) at += 1
  }
  const word = () => {
    const from = at
    while (at < text.length && TOKEN.test(text[at]!)) at += 1
    return text.slice(from, at)
  }
  const quoted = () => {
    let value = ''
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) {
      if (text[at] === '\\') at += 1
      value += text[at] ?? ''
    }
    at += 1
    return value
  }
  while (at < text.length) {
    skip(' \t,')
    const name = word()
    if (!name) {
      // No name can begin here: a stray quote hides what is inside it, anything else is one character of noise.
      if (text[at] === '"') quoted()
      else at += 1
      continue
    }
    skip(' \t')
    if (text[at] !== '=') {
      if (found.length === MAX_CHALLENGES) break
      found.push({ scheme: name.toLowerCase(), parameters: new Map() })
      continue
    }
    skip('=')
    skip(' \t')
    const value = text[at] === '"' ? quoted() : word()
    const parameters = found.at(-1)?.parameters
    const key = name.toLowerCase()
    // The first of two with one name counts.
    if (value && parameters && !parameters.has(key)) parameters.set(key, value)
  }
  return found
}

/** The Bearer challenge of an answer, or undefined when it has none. */
export function readChallenge(headers: Headers): Challenge | undefined {
  const header = headers.get('www-authenticate')
  const bearer = header ? parseChallenges(header).find(({ scheme }) => scheme === 'bearer') : undefined
  if (!bearer) return undefined
  const { parameters } = bearer
  const challenge: Challenge = {}
  for (const name of ['resource_metadata', 'scope', 'error'] as const) {
    const value = parameters.get(name)
    if (value !== undefined) challenge[name] = value
  }
  return challenge
}

/** Scope names in a space-separated list, each once. @see RFC 6749 §3.3 */
export const scopeNames = (scope: string | undefined): string[] => [
  ...new Set((scope ?? '').split(/\s+/).filter((name) => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(name))),
]
