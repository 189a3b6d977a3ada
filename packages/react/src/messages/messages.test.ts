import { type ErrorCode, LatchkeyError } from '@latchkey/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { withEnglish } from '../use-first-messages.ts'
import { allMessages, errorSentence } from '../use-messages.ts'
import { english } from './en.ts'

test('your own sentences replace English ones, group by group', () => {
  expect(withEnglish(undefined)).toBe(english)
  const messages = withEnglish({ title: 'Konten', status: { connected: 'Verbunden' } })
  expect(messages.title).toBe('Konten')
  expect(messages.status).toEqual({ ...english.status, connected: 'Verbunden' })
  expect(messages.connect('GitHub')).toBe('Connect GitHub')
  const own = { errors: { timeout: () => 'Zu spät.' }, spoken: { connecting: () => 'Verbindet.' }, done: 'Fertig' }
  const all = allMessages(own)
  expect(all).toBe(allMessages(own))
  expect([all.done, all.connect('GitHub'), all.spoken.connecting('GitHub')]).toEqual([
    'Fertig',
    'Connect GitHub',
    'Verbindet.',
  ])
  expect([all.errors.timeout?.('GitHub'), all.errors.network?.('GitHub')]).toEqual([
    'Zu spät.',
    expect.stringMatching(/^GitHub/),
  ])
})

test('an error has the catalogue’s sentence, or else its own message', () => {
  expect(errorSentence(allMessages(undefined), new LatchkeyError('timeout', 'own'), 'GitHub')).toMatch(
    /^Sign-in timed out/,
  )
  expect(errorSentence(allMessages(undefined), new LatchkeyError('misuse', 'own'), 'GitHub')).toBe('own')
})

describe('an error’s sentence', () => {
  const say = (code: ErrorCode, source?: 'app') =>
    errorSentence(allMessages(undefined), new LatchkeyError(code, 'own', { source }), 'GitHub')
  afterEach(() => vi.unstubAllGlobals())

  test('m4: names who failed', () => {
    expect(say('network')).toBe("GitHub couldn't be reached. Check your connection and try again.")
    expect(say('network', 'app')).toBe("This app's server couldn't be reached. Try again in a moment.")
    expect(say('temporarily_unavailable')).toBe('GitHub is busy. Try again in a moment.')
    for (const code of ['temporarily_unavailable', 'server_error', 'malformed_response'] as const)
      expect(say(code, 'app')).toBe("This app's server had a problem. Try again in a moment.")
  })

  test('m5: says that the person is offline, whoever could not be reached', () => {
    vi.stubGlobal('navigator', { onLine: false })
    for (const source of [undefined, 'app'] as const)
      expect(say('network', source)).toBe("You're offline. Connect GitHub when you're back online.")
    expect(say('timeout')).toBe('Sign-in timed out. Try again.')
  })

  test('is one for all that only engineers tell apart', () => {
    const codes = ['invalid_grant', 'flow_lost', 'flow_unknown', 'state_mismatch', 'issuer_mismatch'] as const
    expect(new Set(codes.map((code) => say(code)))).toEqual(
      new Set(["Sign-in couldn't be completed. Please try again."]),
    )
  })
})
