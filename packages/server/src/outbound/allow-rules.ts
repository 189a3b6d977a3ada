import { LatchkeyError, type Provider } from '@latchkey/core'

/** The calls allowed with an account of one provider. Its token goes to that provider's API only. */
export interface AllowRule {
  provider: Provider
  /**
   * Allowed calls, as `METHOD /path` below the provider's `apiBaseUrl`. `*` matches any method, one path segment or a part of
   * one, and `**` one or more segments.
   *
   * @default ['GET /**', 'HEAD /**'], read-only
   */
  allow?: readonly string[]
  /** Scopes that a call needs. */
  scopes?: readonly string[]
}

/** The rule that allows a call and the parsed URL, or the reason for the refusal. */
export type Verdict = { rule: AllowRule; url: URL } | { reason: string }

/** Checks calls by method and by URL as the caller wrote it. */
export type AllowRules = (method: string, address: string) => Verdict

const READ = ['GET /**', 'HEAD /**']
/** Allows every call to the provider's API. */
export const ALL_CALLS = ['* /**']

/** Characters. Servers refuse longer addresses, and matching one takes time. */
const MAX_ADDRESS = 8 * 1024

// In a decoded path: dot segments and empty segments, also with parameters as in "..;", a scheme, a backslash and control
// characters. Servers interpret these differently.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters.
const AMBIGUOUS = /\/\.{0,2}[/;]|\/\.{1,2}$|\/[a-z][a-z\d+.-]*:\/|\\|[\0-\x1f]/i

// A parameter by which some servers take another method than the request's: "$httpMethod", "_method", "method".
const OVERRIDE = /^[$_]?(?:x[-_])?(?:http[-_]?)?method(?:[-_]?override)?$/i
const METHOD = /^(?:get|head|post|put|patch|delete|options)$/i

/** @throws LatchkeyError `misuse` for a rule that cannot be read, or an API that is not https. */
export function allowRules(rules: readonly AllowRule[]): AllowRules {
  const targets = rules.map(target)
  return (method, address) => {
    if (address.length > MAX_ADDRESS) return { reason: 'it is longer than 8 kB' }
    // The host as written must equal the parsed host: no user information, no characters that the parser normalizes.
    const written = /^https?:\/\/([a-z0-9.:[\]-]+)(?=[/?#]|$)[\x21-\x7e]*$/i.exec(address)?.[1]?.toLowerCase()
    if (written === undefined || address.includes('\\') || !URL.canParse(address))
      return { reason: 'it is not a plain http or https URL' }
    const url = new URL(address)
    const candidates = targets.filter(({ origin }) => origin === url.origin)
    const isWritten =
      written === url.host || (url.port === '' && written === `${url.host}:443` && url.protocol === 'https:')
    if (candidates.length === 0 || !isWritten) return { reason: 'its host is not an API host of your accounts' }
    const path = decodeFully(url.pathname)
    if (path === undefined || AMBIGUOUS.test(path)) return { reason: 'its path is ambiguous' }
    for (const [name, value] of url.searchParams) {
      if (!OVERRIDE.test(name) || !METHOD.test(value) || value.toUpperCase() === method) continue
      return { reason: `its query asks for ${value.toUpperCase()}: make the call with that method` }
    }
    const found = candidates.find(({ base, allows }) =>
      // The path must match as written and as decoded, since a server may decode it.
      [url.pathname, path].every((one) => one.startsWith(`${base}/`) && allows(method, one.slice(base.length))),
    )
    return found ? { rule: found.rule, url } : { reason: `no rule allows ${method} for this path` }
  }
}

function target(rule: AllowRule) {
  const { provider, allow = READ } = rule
  const { origin, protocol, pathname } = new URL(provider.apiBaseUrl)
  const isOwn = provider.baseUrl !== undefined && new URL(provider.baseUrl).origin === origin
  if (protocol !== 'https:' && !isOwn) {
    throw new LatchkeyError('misuse', `The API of ${provider.name} is not https.`)
  }
  const patterns = allow.map((line) => {
    const [, method = '', path = ''] = /^(\*|[A-Z]+) (\/\S*)$/.exec(line) ?? []
    if (!method || /[^/]\*\*|\*\*[^/]/.test(path)) {
      throw new LatchkeyError('misuse', `${JSON.stringify(line)} is not a rule such as "GET /user/**".`)
    }
    return { method, path: path.split('/') }
  })
  return {
    rule,
    origin,
    /** Path of the API at its origin, without a trailing slash. */
    base: pathname.replace(/\/+$/, ''),
    allows: (method: string, path: string) =>
      patterns.some(
        (one) => (one.method === '*' || one.method === method) && matches(one.path, path.split('/'), '**', isSegment),
      ),
  }
}

const isSegment = (pattern: string, segment: string) =>
  pattern === segment || (pattern.includes('*') && matches([...pattern], [...segment], '*', Object.is))

/** Whether these are the parts of a pattern, in which a wildcard stands for one or more. Only the last one is tried again. */
function matches(
  pattern: readonly string[],
  parts: readonly string[],
  wildcard: string,
  same: (one: string, part: string) => boolean,
): boolean {
  let [next, at] = [0, 0]
  let last: { next: number; at: number } | undefined
  while (at < parts.length) {
    const one = pattern[next]
    if (one === wildcard) {
      last = { next: ++next, at: ++at }
    } else if (one !== undefined && same(one, parts[at] ?? '')) {
      next++
      at++
    } else {
      if (!last) return false
      next = last.next
      at = ++last.at
    }
  }
  return next === pattern.length
}

/** Undefined for a path that is not UTF-8, has a bare `%`, or is encoded more than eight times. */
function decodeFully(path: string): string | undefined {
  let decoded = path
  try {
    for (let round = 0; round < 8; round++) {
      const next = decodeURIComponent(decoded)
      if (next === decoded) return decoded
      decoded = next
    }
  } catch {
    // decodeURIComponent refuses it.
  }
  return undefined
}
