/**
 * The one rule for addresses that an app configures or another party names: https, without credentials. http is for what
 * `isOwn` knows, such as this machine. Undefined for any other value.
 *
 * @see RFC 9700 §2.6 · RFC 3986 §3.2.1
 */
export function safeUrl(value: unknown, isOwn: (url: URL) => boolean = () => false): URL | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  const url = new URL(value)
  if (url.username || url.password) return undefined
  return url.protocol === 'https:' || (url.protocol === 'http:' && isOwn(url)) ? url : undefined
}

/** Whether two addresses are one but for a slash at the end. */
export const sameButSlash = (one: unknown, other: string): one is string =>
  typeof one === 'string' && (one === other || `${one}/` === other || one === `${other}/`)
