import { expect, it } from 'vitest'
import { withEndings } from './endings.ts'
import type { Activity } from './oversight.ts'

const use = (seq: number, facts: Partial<Activity> = {}): Activity => ({
  ...{ seq, at: '2026-03-14T09:30:00Z', action: 'use', outcome: 'allowed', use: `u${seq}`, tool: 'acme/send' },
  ...facts,
})
const end = (seq: number, of: number, reason = 'http_404'): Activity =>
  use(seq, { action: 'end', outcome: 'failed', use: `u${of}`, reason })

it('is one entry for each use, which says how it ended', () => {
  const ended = use(2, { outcome: 'failed', reason: 'http_404' })
  expect(withEndings([use(4), end(3, 2), use(2), use(1)])).toEqual([use(4), ended, use(1)])
})

it('an end whose use is on an older page stays until that page is there', () => {
  const newer = [use(4), end(3, 1)]
  expect(withEndings(newer)).toEqual(newer)
  expect(withEndings([...newer, use(2), use(1)])).toEqual([
    ...[use(4), use(2)],
    use(1, { outcome: 'failed', reason: 'http_404' }),
  ])
})

it('page by page, an end waits for its use, and one without a use is left over', () => {
  const ends = new Map<string, Activity>()
  expect(withEndings([use(6), end(5, 2, 'cut'), end(4, 0)], ends)).toEqual([use(6)])
  expect(withEndings([use(3), use(2)], ends)).toEqual([use(3), use(2, { outcome: 'failed', reason: 'cut' })])
  expect([...ends.values()]).toEqual([end(4, 0)])
})

it('nothing but a use has an end, and nothing but an end says how a use ended', () => {
  const others = [
    use(5, { action: 'answer', use: 'u1', outcome: 'denied' }),
    use(4, { action: 'deny', use: 'u1', outcome: 'denied', reason: 'denied' }),
    { ...use(3, { action: 'end', outcome: 'failed' }), use: undefined } as never,
    use(1),
  ]
  expect(withEndings(others)).toEqual(others)
})
