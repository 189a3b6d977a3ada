import type { Activity } from './oversight.ts'

/**
 * One entry for each use: the log has a second one for a use that did not end well, and the two may be on different pages. The
 * use says how it ended, and its end is left out.
 *
 * @param uses newest first, as `activity` returns them: a use comes after its end.
 * @param ends ends whose use was not found yet, by the id of the use. Give the same map for each page that follows: what is in
 *   it after the last one are ends of uses that are not in the log. Default: such an end stays, as an entry of its own.
 */
export function withEndings(uses: readonly Activity[], ends?: Map<string, Activity>): Activity[] {
  const waiting = ends ?? new Map<string, Activity>()
  const found = new Set<string>()
  for (const one of uses) {
    if (one.action === 'use' && one.use !== undefined) found.add(one.use)
    if (isEnd(one)) waiting.set(one.use, one)
  }
  return uses.flatMap((one) => {
    if (isEnd(one)) return ends || found.has(one.use) ? [] : [one]
    const end = one.action === 'use' && one.use !== undefined && waiting.get(one.use)
    if (!end) return [one]
    waiting.delete(end.use as string)
    const { reason, ...use } = one
    return [{ ...use, outcome: end.outcome, ...(end.reason !== undefined && { reason: end.reason }) }]
  })
}

const isEnd = (one: Activity): one is Activity & { use: string } => one.action === 'end' && one.use !== undefined
