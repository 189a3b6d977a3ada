// Security cases T, 229-231, 267-270, 273-276, 360, 361: Text, the proxy and files. A release waits for 229, 230, 268, 270.
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedactor, secretsOf } from '../../index.ts'
import { flatten } from './encodings.ts'

const SECRET = 'CANARY_AT_/+?~a&"x'
const { text, value, later, stream, through } = createRedactor([SECRET, 'CANARY_second'])

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

const streamOf = <Piece>(pieces: Piece[]) =>
  new ReadableStream<Piece>({
    pull(controller) {
      const piece = pieces.shift()
      if (piece === undefined) controller.close()
      else controller.enqueue(piece)
    },
  })

async function readAll<Piece>(stream: ReadableStream<Piece>): Promise<Piece[]> {
  const pieces: Piece[] = []
  for await (const piece of stream as ReadableStream<Piece> & AsyncIterable<Piece>) pieces.push(piece)
  return pieces
}

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
    expect(createRedactor(['a', '', ' '.repeat(9), '\\'.repeat(9)]).text('a cat')).toBe('a cat')
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

  it('case 267: masks a secret with quotes, slashes and backslashes in JSON, and in JSON inside of JSON', () => {
    const secret = 'CANARY"a/b\\c\\nd\\'
    const one = createRedactor([secret])
    let said: unknown = { said: `x${secret}y` }
    for (let depth = 0; depth < 4; depth++) {
      const json = JSON.stringify(said)
      for (const text of [json, json.replaceAll('/', '\\/'), json.replaceAll('/', '\\u002f')]) {
        const masked = one.text(text)
        expect(masked).not.toContain('CANARY')
        expect(masked).toContain('[redacted]')
        if (depth === 0) expect(JSON.parse(masked).said).toMatch(/^x\[redacted\].{0,2}y$/)
        const { push, end } = one.stream()
        expect([...text].map(push).join('') + end()).not.toMatch(/CANARY|a\\*\/b/)
      }
      said = { said: json }
    }
  })

  it('case 267: masks every part of errors, and errors stay what they are', () => {
    class OddError extends TypeError {
      hint = SECRET
      override name = 'OddError'
    }
    const odd = new OddError(SECRET, { cause: new RangeError(SECRET) })
    const both = new AggregateError([odd, new Error('harmless'), `see ${SECRET}`], `two: ${SECRET}`)
    const clean = value({ both, aborted: new DOMException(SECRET, 'AbortError') })
    expect(leaks(inspect(clean, { depth: 9, showHidden: true }))).toBe(false)
    expect(clean.both).toBeInstanceOf(AggregateError)
    expect(clean.both.errors).toMatchObject([{ hint: '[redacted]', name: 'OddError' }, {}, 'see [redacted]'])
    expect(clean.both.errors[0]).toBeInstanceOf(OddError)
    expect(clean.both.errors[0].cause).toBeInstanceOf(RangeError)
    expect(clean.both.errors[1]).toBe(both.errors[1])
    expect(clean.aborted).toBeInstanceOf(DOMException)
    expect(clean.aborted).toMatchObject({ name: 'AbortError', message: '[redacted]' })
    const hidden = Object.defineProperty(new Error('x'), 'request', { value: { headers: { a: SECRET } } })
    expect(leaks(inspect(value(hidden), { depth: 9, showHidden: true }))).toBe(false)
    const self = new Error('x')
    self.cause = self
    expect(value(self).cause).toBeInstanceOf(Error)
  })

  it('case 267: bytes and other values stay of their type', async () => {
    const secret = Buffer.from(SECRET)
    const padded = Buffer.concat([Buffer.alloc(8), secret, Buffer.alloc(16 - (secret.length % 8))])
    const buffer = () => new Uint8Array(padded).buffer
    class Point {
      said = SECRET
      get half() {
        return this.said.length / 2
      }
    }
    const given = {
      buffer: Buffer.from(padded),
      floats: new Float64Array(buffer()),
      shorts: new Int16Array(buffer()),
      view: new DataView(buffer()),
      plain: buffer(),
      headers: new Headers({ a: SECRET }),
      query: new URLSearchParams({ a: SECRET }),
      url: new URL(`https://a.test/?q=${encodeURIComponent(SECRET)}`),
      point: new Point(),
    }
    const clean = value(given)
    for (const name of Object.keys(given) as (keyof typeof given)[]) {
      expect(Object.getPrototypeOf(clean[name]), name).toBe(Object.getPrototypeOf(given[name]))
    }
    for (const bytes of [clean.buffer, clean.floats, clean.shorts, clean.view]) {
      expect(leaks(Buffer.from(bytes.buffer).toString('latin1'))).toBe(false)
    }
    expect(leaks(Buffer.from(clean.plain).toString('latin1'))).toBe(false)
    expect(clean.floats[0]).toBe(0)
    expect([clean.headers.get('a'), clean.query.get('a'), clean.url.searchParams.get('q')]).toEqual(
      Array(3).fill('[redacted]'),
    )
    expect(clean.point.half).toBe(5)
    const harmless = { buffer: Buffer.from('x'), floats: new Float64Array([1.5, Number.NaN]), at: new Date(0) }
    expect(value(harmless)).toStrictEqual(harmless)
    expect(value(harmless).floats).toBe(harmless.floats)
  })

  it('case 267: a response and a stream are masked as they are read', async () => {
    const pieces = [`a ${SECRET.slice(0, 7)}`, SECRET.slice(7), ' é', SECRET]
    const bytes = () => streamOf(pieces.map((piece) => new TextEncoder().encode(piece)))
    const init = {
      status: 418,
      statusText: 'Teapot',
      headers: { 'x-a': SECRET.replace('"', ''), 'x-b': 'CANARY_second' },
    }
    const response = value(new Response(bytes(), init))
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.statusText, response.headers.get('x-b')]).toEqual([418, 'Teapot', '[redacted]'])
    expect(await response.text()).toBe('a [redacted] é[redacted]')
    expect(value(new Response(null, { status: 204 })).body).toBeNull()
    expect(await readAll(value(streamOf([...pieces])))).toEqual(['a ', '[redacted] é', '[redacted]'])
    expect(value(Response.error()).type).toBe('error')
    const invalid = new Uint8Array([0xff, 0xc3, 0x28, 0])
    const carried = streamOf([invalid]).pipeThrough(through())
    expect(await new Response(carried as ReadableStream<Uint8Array<ArrayBuffer>>).bytes()).toEqual(invalid)
  })

  it('case 231: the time to redact grows no faster than the text, and other work runs meanwhile', async () => {
    const time = async (run: () => unknown) => {
      const started = process.cpuUsage()
      await run()
      return process.cpuUsage(started).user / 1000
    }
    const inputs = {
      words: 'some words in JSON: {"a":"b\\n"}\n',
      'starts of a secret': 'CANARY_AT_/+?~a&"',
      secrets: `${SECRET} `,
      'white space after a start': 'C'.padEnd(50_000),
      'unfinished escapes': '%25',
      backslashes: '\\',
      'one letter': 'C',
    }
    for (const [name, piece] of Object.entries(inputs)) {
      const of = (length: number) => piece.repeat(Math.ceil(length / piece.length))
      text(of(100_000))
      const [small, large] = [of(75_000), of(300_000)]
      // Milliseconds of CPU, the least of two measures. Below some of them a measure says nothing about growth.
      const least = async (one: string) => Math.min(await time(() => text(one)), await time(() => text(one)))
      // Four times the text takes four times as long, and sixteen times if the time grows faster.
      expect(await least(large), name).toBeLessThan(Math.max(200, 8 * (await least(small))))
    }
    const large = {
      list: [inputs.words.repeat(15_000), Buffer.from(SECRET.repeat(1000))],
      many: Array(2000).fill(SECRET),
    }
    let turns = 0
    let isDone = false
    const turn = () => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    const masked = await later(large)
    isDone = true
    expect(leaks(masked.many.join())).toBe(false)
    expect(masked).toEqual(value(large))
    // At least one for each 64 kB.
    expect(turns).toBeGreaterThan(JSON.stringify(large.list[0]).length / 65_536 / 2)
  })

  it('case 231: a secret that is split between the pieces of a long text is masked', () => {
    for (const [name, encoded] of Object.entries(encode(SECRET))) {
      for (const before of [5, encoded.length - 1]) {
        const said = `${'x'.repeat(65_536 - before - 1)} ${split(encoded, 7)} ${'y'.repeat(500)}`
        const masked = text(said)
        expect(leaks(masked), name).toBe(false)
        expect(masked.length, name).toBeLessThan(said.length)
      }
    }
  })

  it('masks long texts in bounded time', () => {
    const started = process.cpuUsage()
    text('C'.repeat(1_000_000) + ' \n'.repeat(100_000) + '%25'.repeat(100_000) + '\\'.repeat(100_000))
    // Milliseconds of CPU, which other processes of a busy machine do not change.
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(10_000)
  })
})

it('case 84: a text is read as the expressions for white space and escapes say', () => {
  const white = /\s+|(?<!\\)\\+[nrt]|%(?:25)*(?:0[9AaDd]|20)/g
  const escaped = /%(?:25)*([0-9A-Fa-f]{2})|(?<!\\)\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|([^\\]))/g
  const byte = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16))
  const parts = [
    '%',
    '\\',
    '25',
    '2',
    '0',
    '9',
    'A',
    '41',
    'n',
    't',
    'u00',
    'x',
    ' ',
    '\n',
    '\u2028',
    'é',
    '\u0141',
    'z',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 14 }), (some) => {
      const text = some.join('')
      const plain = text
        .replace(white, '')
        .replace(escaped, (_, one, two, three, itself) => itself ?? byte(one ?? two ?? three))
      const flat = flatten(text)
      expect(String.fromCharCode(...flat.codes.subarray(0, flat.length))).toBe(plain)
      const places = Array.from({ length: flat.length }, (_, at) => [flat.startOf(at), flat.endOf(at)])
      // In order, apart, and each character is one of those between its places or what an escape there means.
      for (const [at, [from = 0, to = 0]] of places.entries()) {
        expect(from).toBeGreaterThanOrEqual(places[at - 1]?.[1] ?? 0)
        expect(flatten(text.slice(from, to)).length).toBe(1)
      }
    }),
    { numRuns: 2000 },
  )
})

it('finds the secrets of an identity', () => {
  const identity = { provider: 'kaggle', accessToken: 'k', fields: { username: 'ada' } }
  expect(secretsOf([identity])).toEqual(['k'])
  expect(secretsOf([{ ...identity, provider: 'unheard-of' }])).toEqual(['k', 'ada'])
})
