import { LatchkeyError } from '@latchkey/core'
import { expect, test } from 'vitest'
import { errorSentence, withEnglish } from '../use-messages.ts'
import { english } from './en.ts'

test('own words lie over the English ones, group by group', () => {
  expect(withEnglish(undefined)).toBe(english)
  const messages = withEnglish({ title: 'Konten', status: { connected: 'Verbunden' } })
  expect(messages.title).toBe('Konten')
  expect(messages.status).toEqual({ ...english.status, connected: 'Verbunden' })
  expect(messages.connect('GitHub')).toBe('Connect GitHub')
})

test('an error is said in the catalogue’s words, else in its own', () => {
  expect(errorSentence(english, new LatchkeyError('timeout', 'own'), 'GitHub')).toMatch(/^Signing in at GitHub/)
  expect(errorSentence(english, new LatchkeyError('misuse', 'own'), 'GitHub')).toBe('own')
})
