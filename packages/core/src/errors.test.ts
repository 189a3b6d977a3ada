import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { asLatchkeyError, type ErrorCode, LatchkeyError, redact } from './errors.ts'
import { codeFromServer } from './protocol/error-codes.ts'

const CANARY = 'CANARY_AT'

describe('LatchkeyError', () => {
  it('says what happened, why, and what to do', () => {
    const error = new LatchkeyError('invalid_grant', 'Access ended.', {
      next: 'reconnect',
      provider: 'a',
      account: 'a.b',
    })
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toBe('LatchkeyError: Access ended.')
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'invalid_grant',
      message: 'Access ended.',
      next: 'reconnect',
      provider: 'a',
      account: 'a.b',
    })
    expect(new LatchkeyError('network', 'x').next).toBe('retry')
    expect(new LatchkeyError('timeout', 'x').next).toBe('connect')
  })

  it('keeps only the name and code of a cause', () => {
    const cause = Object.assign(new TypeError(`said ${CANARY}`), {
      code: 'ECONNREFUSED',
      body: { access_token: CANARY },
      cause: new Error(CANARY),
    })
    const error = new LatchkeyError('network', 'Away.', { cause })
    expect(error.cause).toMatchObject({ name: 'TypeError', message: 'ECONNREFUSED' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(CANARY)
    for (const odd of [{ token: CANARY }, CANARY, 1, null])
      expect(new LatchkeyError('network', 'Away.', { cause: odd }).cause).toBeUndefined()
    const inner = new LatchkeyError('timeout', 'Late.')
    expect(new LatchkeyError('network', 'Away.', { cause: inner }).cause).toBe(inner)
  })

  it("limits the length of a server's text", () => {
    expect(new LatchkeyError('server_error', 'x', { detail: 'y'.repeat(500) }).detail).toHaveLength(200)
  })
})

it('accepts only registered codes from a server', () => {
  expect(codeFromServer('invalid_scope', 'server_error')).toBe('invalid_scope')
  for (const odd of ['popup_blocked', 'constructor', '<b>', '', 1, {}, undefined, null])
    expect(codeFromServer(odd, 'server_error')).toBe('server_error')
})

it('leaves its own errors as they are', () => {
  const own = new LatchkeyError('timeout', 'Late.')
  expect(asLatchkeyError(own, 'network', 'Away.')).toBe(own)
  expect(asLatchkeyError('x', 'network', 'Away.', { provider: 'a' })).toMatchObject({ code: 'network', provider: 'a' })
})

describe('redact', () => {
  it('case 102: URLs and bodies lose the values of code, state, tokens and keys', () => {
    const secret = 'CANARY.value-1~x'
    for (const text of [
      `https://app.example/callback?code=${secret}&state=${secret}&iss=https%3A%2F%2Fa`,
      `#access_token=${secret}&token_type=bearer`,
      `grant_type=refresh_token&refresh_token=${secret}&client_secret=${secret}&code_verifier=${secret}`,
      JSON.stringify({ access_token: secret, refresh_token: secret, apiKey: secret, key: secret, password: secret }),
      JSON.stringify({ body: JSON.stringify({ id_token: secret }) }),
      `Authorization: Bearer ${secret}`,
      `authorization: basic ${btoa(secret)}CANARY`,
      'remote said ghp_CANARY1234 is not known, and eyJCANARY.eyJb.CANARY neither',
    ]) {
      expect(redact(text)).not.toContain('CANARY')
      expect(redact(text)).not.toContain(secret)
    }
    const harmless =
      'iss=https%3A%2F%2Fa&token_type=bearer {"provider":"github","status":"connected"} Key: copy it again.'
    expect(redact(harmless)).toBe(harmless)
  })

  it("case 229: the time for a server's words grows no faster than they do, and only their beginning is searched", () => {
    const time = (run: () => void) => {
      const started = process.cpuUsage()
      run()
      const { user, system } = process.cpuUsage(started)
      return (user + system) / 1000
    }
    const [small, large] = [250_000, 500_000]
    for (const piece of [
      'eyJ-',
      'eyJa.',
      'eyJ',
      'token',
      'token"',
      'code"  ',
      'Bearer ',
      'ghp_',
      'x-',
      '. ',
      "\\'",
      '=',
      'a'.repeat(99),
      'secret=',
      'key\\":\\"',
    ]) {
      const of = (length: number) => piece.repeat(length / piece.length)
      redact(of(small))
      const [once, twice] = [small, large].map((length) => time(() => redact(of(length)))) as [number, number]
      // Milliseconds of CPU. Below a few of them a measure says nothing about growth.
      expect(twice, piece).toBeLessThan(Math.max(100, 3 * once))
      const detail = of(240_000)
      const named = Object.assign(new Error('x'), { name: detail })
      const made = time(() => new LatchkeyError('invalid_grant', detail, { detail, cause: named }))
      expect(made, piece).toBeLessThan(50)
    }
    const cutFirst = new LatchkeyError('server_error', 'x', { detail: `code=${'a'.repeat(900)} and more` })
    expect(cutFirst.detail).toBe('code=[redacted]')
    // A secret at the cut is not left with its beginning.
    const cut = new LatchkeyError('server_error', 'x', { detail: `${'y'.repeat(180)} ghp_${'CANARY'.repeat(99)}` })
    expect(cut.detail).not.toContain('CANARY')
  })

  it('case 361: a JWT is redacted whole, also one that is encrypted, unsigned or cut off', () => {
    for (const jwt of [
      'eyJhbGciOiJkaXIifQ..CANARY.CANARY.CANARY',
      'eyJhbGciOiJSU0EifQ.CANARY.CANARY.CANARY.CANARY',
      'eyJhbGciOiJub25lIn0.eyJCANARY.',
      'eyJhbGciOiJFUzI1NiJ9CANARY',
      'x-eyJhbGciOiJFUzI1NiJ9.eyJCANARY.CANARY',
    ]) {
      expect(redact(`at ${jwt} end`)).not.toContain('CANARY')
      expect(redact(`at ${jwt} end`)).toMatch(/^at .*\[redacted\].* end$/)
    }
  })

  it('every error is redacted', () => {
    const error = new LatchkeyError('invalid_request', 'Refused: code=CANARY1', {
      detail: 'unknown token ghp_CANARY2345',
      cause: Object.assign(new Error('x'), { code: 'token=CANARY3' }),
    })
    for (const text of [String(error), JSON.stringify(error), inspect(error, { depth: 9, showHidden: true })])
      expect(text).not.toContain('CANARY')
  })

  it('every code has a next step', () => {
    const codes: ErrorCode[] = ['access_denied', 'invalid_client', 'account_changed', 'network', 'misuse']
    expect(codes.map((code) => new LatchkeyError(code, 'x').next)).toEqual([
      'connect',
      'configure',
      'choose',
      'retry',
      'configure',
    ])
  })
})
