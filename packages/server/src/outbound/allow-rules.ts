import { LatchkeyError, type Provider } from '@latchkey/core'

/** The calls allowed with an account of one provider. Its token goes to that provider's API only. */
export interface AllowRule {
  provider: Provider
  /**
   * Allowed calls, as `METHOD /path` below the provider's `apiBaseUrl`. `*` matches any method or one path segment, `**` the
   * rest of the path.
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

// In a decoded path: dot segments, empty segments, a scheme, a backslash and control characters. Servers interpret these
// differently.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters.
const AMBIGUOUS = /\/\.{1,2}(?=\/|$)|\/\/|\/[a-z][a-z\d+.-]*:\/|\\|[\0-\x1f]/i

/** @throws LatchkeyError `misuse` for a rule that cannot be read, or an API that is not https. */
export function allowRules(rules: readonly AllowRule[]): AllowRules {
  const targets = rules.map(target)
  return (method, address) => {
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
    if (!method) {
      throw new LatchkeyError('misuse', `${JSON.stringify(line)} is not a rule such as "GET /user/**".`)
    }
    const source = path.split(/(\*\*|\*)/).map((part) => {
      if (part === '**') return '.*'
      return part === '*' ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    })
    return { method, path: new RegExp(`^${source.join('')}$`) }
  })
  return {
    rule,
    origin,
    /** Path of the API at its origin, without a trailing slash. */
    base: pathname.replace(/\/+$/, ''),
    allows: (method: string, path: string) =>
      patterns.some((one) => (one.method === '*' || one.method === method) && one.path.test(path)),
  }
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
