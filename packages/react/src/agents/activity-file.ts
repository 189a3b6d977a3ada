import { type Activity, type Oversight, withEndings } from '@latchkey/core/agents'
import type { UseActivityOptions } from './oversight.tsx'
import { visibleLine } from './plain.ts'

/** Uses asked for at once: of the longest ones, an answer is still small enough to be read. */
const AT_ONCE = 100

/** A kind of file. */
export interface FormatOf {
  name: string
  type: string
  heading: string
  rows: (uses: readonly SavedUse[]) => string
}

/** All uses that a filter lets through, page by page, until the signal is aborted. */
export async function* pages(
  oversight: Oversight,
  { agent, account }: UseActivityOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly Activity[]> {
  let before: number | undefined
  const ends = new Map<string, Activity>()
  do {
    const page = await oversight.activity({
      limit: AT_ONCE,
      ...(before !== undefined && { before }),
      ...(agent !== undefined && { agent }),
      ...(account !== undefined && { account }),
    })
    if (signal.aborted) return
    yield withEndings(page.uses, ends)
    before = page.next
  } while (before !== undefined)
  yield [...ends.values()]
}

/** A use as it is saved in a file. */
export interface SavedUse extends Omit<Activity, 'outcome'> {
  /** `asked`: it is a question. Nothing was denied with it yet. */
  outcome: Activity['outcome'] | 'asked'
  /** What the person answered to the question. */
  answer?: Activity['outcome']
  /** What the account is called, if it is still there. */
  accountLabel?: string
}

/**
 * Uses as they are saved.
 *
 * @param uses newest first: an answer comes before its question.
 * @param answers by the id of the request. Give the same map for each page that follows.
 */
export function savedUses(
  uses: readonly Activity[],
  labels: ReadonlyMap<string, string>,
  answers: Map<string, Activity['outcome']>,
): SavedUse[] {
  return uses.map((use) => {
    const { action, account = '', request = '', outcome } = use
    // One that failed was not confirmed, and answered nothing.
    if (action === 'answer' && outcome !== 'failed') answers.set(request, outcome)
    const label = labels.get(account)
    const answer = action === 'ask' ? answers.get(request) : undefined
    return {
      ...use,
      ...(label !== undefined && { accountLabel: visibleLine(label) }),
      ...(action === 'ask' && { outcome: 'asked' as const }),
      ...(answer && { answer }),
    }
  })
}

const COLUMNS = [
  'at',
  'agent',
  'tool',
  'provider',
  'account',
  'accountLabel',
  'route',
  'host',
  'effect',
  'decision',
  'rule',
  'preset',
  'lease',
  'until',
  'outcome',
  'answer',
  'reason',
  'edited',
  'use',
  'request',
  'action',
] as const satisfies (keyof SavedUse)[]

const line = (cells: readonly string[]) => `${cells.map(cell).join(',')}\r\n`

/** The first line of a CSV of uses. */
export const csvHeading = line(COLUMNS)

/** Uses as lines of CSV. No cell is a formula to a spreadsheet. @see RFC 4180 */
export const csvRows = (uses: readonly SavedUse[]) =>
  uses.map((use) => line(COLUMNS.map((column) => use[column] ?? ''))).join('')

function cell(text: string): string {
  const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Uses as JSON lines. */
export const toLines = (uses: readonly SavedUse[]) => uses.map((use) => `${JSON.stringify(use)}\n`).join('')

/** The kinds of files. */
export const FORMATS: Record<'csv' | 'lines', FormatOf> = {
  csv: { name: 'activity.csv', type: 'text/csv', heading: csvHeading, rows: csvRows },
  lines: { name: 'activity.jsonl', type: 'application/jsonl', heading: '', rows: toLines },
}
