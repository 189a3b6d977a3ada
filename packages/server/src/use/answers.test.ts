import type { Because } from '@latchkey/core/agents'
import { expect, test } from 'vitest'
import { NotAllowed } from './answers.ts'

test.each<[Because | undefined, string]>([
  [{ by: 'stopped', what: 'agent' }, 'The person stopped this agent (open_issue).'],
  [{ by: 'stopped', what: 'account' }, 'The person stopped this account (open_issue).'],
  [{ by: 'stopped', what: 'everything' }, 'The person stopped everything (open_issue).'],
  [{ by: 'paused' }, 'The person paused this account (open_issue).'],
  [{ by: 'preset', preset: 'off' }, 'The person does not allow this (open_issue).'],
  [undefined, 'The person does not allow this (open_issue).'],
])('a call that %j forbids says so, for the model to tell its person', (because, words) => {
  const about = { provider: 'github', account: 'github.1', toolName: 'open_issue' }
  expect(new NotAllowed({ ...about, ...(because && { because }) }).message).toBe(words)
})
