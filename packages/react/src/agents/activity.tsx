'use client'
import type { Oversight, Activity as Use } from '@latchkey/core/agents'
import { useId, useState } from 'react'
import { useAccounts, useKit, useProviders } from '../hooks.ts'
import { Button, SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useFirstMessages, useLanguage } from '../use-first-messages.ts'
import {
  sentenceOf,
  type UseActivityOptions,
  useActivity,
  useAgentMessages,
  useAgents,
  useHasWords,
  useOversight,
} from './oversight.tsx'
import { Bones, Failed, ToolTitle } from './parts.tsx'
import { toCsv, toLines, visibleLine } from './plain.ts'
import { findAgent } from './ruled.ts'

/** Props of {@link Activity}. */
export interface ActivityProps {
  /** Agent id. @default all agents, and a choice of one */
  agent?: string
  /** Account id. @default all accounts */
  account?: string
  /** Level of the heading. @default 2 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
}

/** What agents did with accounts, newest first: what was done, what was blocked, and what failed. */
export function Activity({ agent: only, account, headingLevel = 2 }: ActivityProps) {
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const agents = useAgents()
  const [chosen, setChosen] = useState('')
  const agent = only ?? (chosen || undefined)
  const { uses, status, more, isLoadingMore, retry } = useActivity({ agent, account })
  const id = useId()
  const Heading = `h${headingLevel}` as const
  const isLoading = status === 'loading' || !hasWords
  return (
    <section
      {...useLanguage()}
      className="latchkey latchkey-activity"
      aria-labelledby={id}
      aria-busy={isLoading || undefined}
    >
      <div className="latchkey-top">
        <Heading id={id} className="latchkey-heading">
          {hasWords && words.activity}
        </Heading>
      </div>
      {!isLoading && (
        <div className="latchkey-activity-bar">
          {only === undefined && agents.length > 1 && (
            <div className="latchkey-remember">
              <label htmlFor={`${id}agent`}>{words.agent}</label>
              <span className="latchkey-control">
                <select id={`${id}agent`} value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
                  <option value="">{words.allAgents}</option>
                  {agents.map((one) => (
                    <option key={one.id} value={one.id}>
                      {visibleLine(one.name)}
                    </option>
                  ))}
                </select>
              </span>
            </div>
          )}
          {uses.length > 0 && <Exports agent={agent} account={account} />}
        </div>
      )}
      {isLoading ? (
        <Bones />
      ) : status === 'failed' ? (
        <Failed onRetry={retry} />
      ) : uses.length === 0 ? (
        <p className="latchkey-empty">{words.activityEmpty}</p>
      ) : (
        <ul className="latchkey-uses" aria-labelledby={id}>
          {uses.map((use) => (
            <Item key={use.seq} use={use} />
          ))}
        </ul>
      )}
      {more && !isLoading && (
        <Button aria-disabled={isLoadingMore || undefined} onClick={() => isLoadingMore || more()}>
          {words.showMore}
        </Button>
      )}
    </section>
  )
}

const SHAPES = { allowed: 'allow', denied: 'never', failed: 'failed' } as const

/** One use of an account. */
function Item({ use }: { use: Use }) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const { icons } = useKit()
  const agents = useAgents()
  const accounts = useAccounts()
  const provider = useProviders().find(({ id }) => id === use.provider)
  const agent = findAgent(agents, use.agent)
  const title = agents.flatMap(({ tools }) => tools).find(({ name }) => name === use.tool)?.title
  const account = accounts.find(({ id }) => id === use.account)
  const facts = [agent?.name ?? use.agent, account?.label ?? use.account, use.host]
  const at = new Date(use.at)
  return (
    <li data-outcome={use.outcome}>
      <span className="latchkey-mark">{provider && brandMark(provider, icons)}</span>
      <div className="latchkey-use">
        <ToolTitle title={use.action === 'leak' ? words.leak : (title ?? use.tool ?? use.action)} />
        <p className="latchkey-line">
          {facts
            .filter((fact) => fact !== undefined)
            .map((fact) => visibleLine(fact))
            .join(' · ')}
        </p>
      </div>
      <div className="latchkey-use-end">
        <span className="latchkey-status" data-slot="outcome" data-decision={SHAPES[use.outcome]}>
          {words.outcomes[use.outcome]}
        </span>
        {use.outcome !== 'allowed' && use.reason && <code>{visibleLine(use.reason)}</code>}
        <time className="latchkey-line" dateTime={use.at}>
          {new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(at)}
        </time>
      </div>
    </li>
  )
}

/** The most uses in one file. */
const MOST = 10_000

/** All uses that a filter lets through, page by page. */
async function all(oversight: Oversight, { agent, account }: UseActivityOptions): Promise<readonly Use[]> {
  const uses: Use[] = []
  let before: number | undefined
  do {
    const page = await oversight.activity({
      limit: 100,
      ...(before !== undefined && { before }),
      ...(agent !== undefined && { agent }),
      ...(account !== undefined && { account }),
    })
    uses.push(...page.uses)
    before = page.next
  } while (before !== undefined && uses.length < MOST)
  return uses
}

function Exports(filter: UseActivityOptions) {
  const words = useAgentMessages()
  const oversight = useOversight()
  const id = useId()
  const [error, setError] = useState<Error>()
  const save = (name: string, type: string, write: (uses: readonly Use[]) => string) => {
    setError(undefined)
    all(oversight, filter).then((uses) => download(name, type, write(uses)), setError)
  }
  return (
    <div className="latchkey-actions">
      <SmallButton label={words.exportCsv} onPress={() => save('activity.csv', 'text/csv', toCsv)} />
      <SmallButton label={words.exportLines} onPress={() => save('activity.jsonl', 'application/jsonl', toLines)} />
      <Problem id={id} sentence={error && sentenceOf(words, error)} />
    </div>
  )
}

function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  URL.revokeObjectURL(url)
}
