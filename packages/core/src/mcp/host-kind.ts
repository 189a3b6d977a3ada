/** What kind of place a URL's host is, as far as its spelling says: what a name resolves to only a server can know. */
export function hostKind(hostname: string): 'public' | 'loopback' | 'private' {
  const host = hostname.toLowerCase().replace(/\.$/, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return 'loopback'
  if (host.startsWith('[')) {
    const address = host.slice(1, -1)
    if (address === '::1') return 'loopback'
    // Unique local, link local, unspecified, and IPv4-mapped IPv6.
    return /^(f[cd]|fe[89ab]|::|64:ff9b:|2002:)/.test(address) ? 'private' : 'public'
  }
  // URL has turned every spelling of an IPv4 address into this one.
  const octets = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(host)
  if (!octets) return /\.(local|internal|home\.arpa)$/.test(host) || !host.includes('.') ? 'private' : 'public'
  const [a, b] = [Number(octets[1]), Number(octets[2])]
  if (a === 127) return 'loopback'
  const closed =
    a === 0 ||
    a === 10 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || b === 0)) ||
    (a === 198 && (b === 18 || b === 19))
  return closed ? 'private' : 'public'
}
