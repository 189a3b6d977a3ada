import { LatchkeyError } from '@latchkey/core'
import { expect, test } from 'vitest'
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
    /^Signing in at GitHub/,
  )
  expect(errorSentence(allMessages(undefined), new LatchkeyError('misuse', 'own'), 'GitHub')).toBe('own')
})
