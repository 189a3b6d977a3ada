import { describe, expect, it } from 'vitest'
import { createRedactor, secretsOf } from '../../index.ts'

const SECRET = 'CANARY_AT_/+?~a&"x'
const { text, value, stream } = createRedactor([SECRET, 'CANARY_second'])

const encode = (secret: string) => ({
  plain: secret,
  base64: btoa(secret),
  'HTTP Basic, alignment 1': btoa(`a:${secret}:tail`),
  'HTTP Basic, alignment 2': btoa(`ab:${secret}`),
  'HTTP Basic, alignment 3': btoa(`abc:${secret}z`),
  base64url: Buffer.from(secret).toString('base64url'),
  'URL-encoded': encodeURIComponent(secret),
  'URL-encoded, every character': [...secret].map((one) => `%${one.charCodeAt(0).toString(16)}`).join(''),
  'URL-encoded twice': encodeURIComponent(encodeURIComponent(secret)),
  'base64 in a URL': encodeURIComponent(btoa(secret)),
  form: new URLSearchParams({ secret }).toString(),
  hex: Buffer.from(secret).toString('hex'),
  JSON: [...secret].map((one) => `\\u00${one.charCodeAt(0).toString(16)}`).join(''),
})

const split = (said: string, width: number, line = '\n') =>
  said.match(new RegExp(`.{1,${width}}`, 'g'))?.join(line) ?? ''

/** The text without white space, in which a secret would be found. */
const leaks = (said: string) => {
  const dense = said.replace(/\s|\\n|%0a/gi, '')
  return Object.values(encode(SECRET)).some((one) => dense.includes(one.slice(4, -4)))
}

describe('redaction', () => {
  it('case 84: masks a secret in plain text, base64, URL encoding and split over lines', () => {
    for (const [name, encoded] of Object.entries(encode(SECRET))) {
      for (const said of [
        encoded,
        split(encoded, 3),
        split(encoded, 5, '\r\n    '),
        split(encoded, 1, ' '),
        split(encoded, 4, '\\n'),
        split(encoded, 4, '%0A'),
      ]) {
        const masked = text(`before ${said} after`)
        expect(leaks(`before ${said} after`), name).toBe(true)
        expect(leaks(masked), name).toBe(false)
        expect(masked, name).toMatch(/^before .*\[redacted\].* after$/s)
      }
    }
  })

  it('leaves all other text unchanged', () => {
    const said = 'CANARY_AT and CANARY_secon: 100% \\u00e9 \\n dGVzdA== and\n two lines'
    expect(text(said)).toBe(said)
    expect(createRedactor([]).text(said)).toBe(said)
    // Too short to tell from ordinary words.
    expect(createRedactor(['a', '']).text('a cat')).toBe('a cat')
  })

  it('masks secrets in every part of a value', () => {
    const cycle: Record<string, unknown> = { [SECRET]: 1, list: [SECRET, new Map([[SECRET, new Set([SECRET])]])] }
    cycle.self = cycle
    cycle.bytes = Buffer.from(`x${SECRET}x`)
    cycle.url = new URL(`https://a.test/?q=${encodeURIComponent(SECRET)}`)
    cycle.hidden = { toJSON: () => SECRET }
    const clean = value(cycle)
    expect(clean.self).toBe(clean)
    const { self: _, ...rest } = clean
    const all = JSON.stringify(rest, (_key, one) => (one instanceof Map || one instanceof Set ? [...one] : one))
    expect(leaks(all)).toBe(false)
    expect(Buffer.from(clean.bytes as Uint8Array).toString()).toBe('x[redacted]x')
    const harmless = new TypeError('no')
    expect(value(harmless)).toBe(harmless)
    const error = value(Object.assign(new Error(`${SECRET}!`, { cause: new Error(SECRET) }), { url: SECRET }))
    expect([error.message, (error.cause as Error).message, (error as { url?: string }).url]).toEqual([
      '[redacted]!',
      '[redacted]',
      '[redacted]',
    ])
    expect(leaks(error.stack ?? '')).toBe(false)
    expect(Object.getPrototypeOf(value(JSON.parse('{"__proto__":{"a":1}}')))).toBe(Object.prototype)
    let deep: unknown = SECRET
    for (let depth = 0; depth < 100; depth++) deep = [deep]
    expect(leaks(JSON.stringify(value(deep)))).toBe(false)
  })

  it('case 84: masks a secret that arrives in chunks, wherever it is split', () => {
    for (const [name, encoded] of Object.entries(encode(SECRET))) {
      const said = `one ${encoded} two ${split(encoded, 4)} three CANARY_secondCANARY_second`
      for (const width of [1, 2, 3, 5, 7, 11]) {
        const { push, end } = stream()
        const masked = (said.match(new RegExp(`[^]{1,${width}}`, 'g')) ?? []).map(push).join('') + end()
        expect(leaks(masked), `${name} by ${width}`).toBe(false)
        expect(masked).toMatch(/^one .* two .* three \[redacted\]\[redacted\]$/s)
      }
    }
    const { push, end } = stream()
    // Only text that may be the start of a secret is held back.
    expect(push('hello CANARY')).toBe('hello ')
    expect(push(' bird')).toBe('CANARY bird')
    expect(push('CANARY_AT')).toBe('')
    expect(end()).toBe('CANARY_AT')
  })

  it('masks long texts in bounded time', () => {
    const started = process.cpuUsage()
    text('C'.repeat(1_000_000) + ' \n'.repeat(100_000) + '%25'.repeat(100_000) + '\\'.repeat(100_000))
    // Milliseconds of CPU, which other processes of a busy machine do not change.
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(10_000)
  })
})

it('finds the secrets of an identity', () => {
  const identity = { provider: 'kaggle', accessToken: 'k', fields: { username: 'ada' } }
  expect(secretsOf([identity])).toEqual(['k'])
  expect(secretsOf([{ ...identity, provider: 'unheard-of' }])).toEqual(['k', 'ada'])
})
