import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { asLatchkeyError, codeFromServer, LatchkeyError } from './errors.ts'

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

  it('keeps of a cause its name and code, and nothing that it carries', () => {
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

  it("caps a server's words", () => {
    expect(new LatchkeyError('server_error', 'x', { detail: 'y'.repeat(500) }).detail).toHaveLength(200)
  })
})

it('believes a server only registered codes', () => {
  expect(codeFromServer('invalid_scope', 'server_error')).toBe('invalid_scope')
  for (const odd of ['popup_blocked', 'constructor', '<b>', '', 1, {}, undefined, null])
    expect(codeFromServer(odd, 'server_error')).toBe('server_error')
})

it('leaves its own errors as they are', () => {
  const own = new LatchkeyError('timeout', 'Late.')
  expect(asLatchkeyError(own, 'network', 'Away.')).toBe(own)
  expect(asLatchkeyError('x', 'network', 'Away.', { provider: 'a' })).toMatchObject({ code: 'network', provider: 'a' })
})
