'use client'
import type { Agent, Activity as Use } from '@latchkey/core/agents'
import { useId } from 'react'
import { useAccounts, useKit, useProviders } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { ActivityDetails } from './activity-details.tsx'
import { Exports } from './activity-export.tsx'
import { Verify } from './activity-verify.tsx'
import { hasDetails, resultOf, shownHost, whatOf } from './activity-words.ts'
import { momentWords } from './now.ts'
import { type UseActivity, type UseActivityOptions, useAgentMessages, useAgents } from './oversight.tsx'
import { Disclosure, Failed, ToolTitle } from './parts.tsx'
import { plainName, shownTitle, visibleLine } from './plain.ts'
import { findAgent } from './ruled.ts'

interface ActivityContentsProps extends UseActivityOptions {
  /** Id of the heading. */
  labelledBy: string
  activity: UseActivity
  /** Chooses an agent, or none. Absent: there is no choice. */
  onChoose: ((agent: string) => void) | undefined
}

/** What happened, and what a person can do with the log as a whole. */
export function ActivityContents({ labelledBy, activity, agent, account, onChoose }: ActivityContentsProps) {
  const words = useAgentMessages()
  const agents = useAgents()
  const id = useId()
  const { uses, status, more, isLoadingMore, retry } = activity
  return (
    <>
      <div className="latchkey-activity-bar">
        {onChoose && agents.length > 1 && (
          <div className="latchkey-remember">
            <label htmlFor={id}>{words.agent}</label>
            <span className="latchkey-control">
              <select id={id} value={agent ?? ''} onChange={(event) => onChoose(event.currentTarget.value)}>
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
        {uses.length > 0 && <Exports key={`${agent} ${account}`} agent={agent} account={account} />}
        <Verify newest={uses[0]?.at} />
      </div>
      {status === 'failed' ? (
        <Failed onRetry={retry} />
      ) : uses.length === 0 ? (
        <p className="latchkey-empty">{words.activityEmpty}</p>
      ) : (
        <ul className="latchkey-uses" aria-labelledby={labelledBy}>
          {uses.map((use) => (
            <Item key={use.seq} use={use} />
          ))}
        </ul>
      )}
      {more && (
        <Button aria-disabled={isLoadingMore || undefined} onClick={() => isLoadingMore || more()}>
          {words.showMore}
        </Button>
      )}
    </>
  )
}

/** What its agent calls a tool, else what another one does, else its name in a form that can be read. */
const titleOf = (agents: readonly Agent[], name: string, agent: Agent | undefined) =>
  [...(agent ? [agent] : []), ...agents].flatMap(({ tools }) => tools).find((tool) => tool.name === name)?.title ??
  plainName(name)

/** One use of an account. */
function Item({ use }: { use: Use }) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const { icons } = useKit()
  const agents = useAgents()
  const accounts = useAccounts()
  const account = accounts.find(({ id }) => id === use.account)
  const providerId = use.provider ?? account?.provider
  const provider = useProviders().find(({ id }) => id === providerId)
  const agent = findAgent(agents, use.agent)
  const { action, tool, route } = use
  const isAll = use.agent === undefined && use.account === undefined && (action === 'stop' || action === 'resume')
  const facts = [
    action === 'rule' && tool !== undefined ? words.actions.rule : undefined,
    isAll ? words.everything.all : undefined,
    agent?.name ?? use.agent,
    account?.label ?? use.account ?? (action === 'rule' ? provider && words.allAccounts(provider.name) : undefined),
    shownHost(use.host, provider),
  ]
  const title = tool === undefined || action === 'leak' ? undefined : titleOf(agents, tool, agent)
  const { word, shape, lines } = resultOf(words, use, (at) => momentWords(words, at, locale))
  return (
    <li data-outcome={use.outcome}>
      <span className="latchkey-mark">{provider && brandMark(provider, icons)}</span>
      <div className="latchkey-use">
        {title === undefined ? (
          <span className="latchkey-name">{whatOf(words, use)}</span>
        ) : (
          <ToolTitle title={title} />
        )}
        <p className="latchkey-line">
          {facts
            .filter((fact) => fact !== undefined)
            .map((fact) => visibleLine(fact))
            .join(' · ')}
        </p>
        {route !== undefined && <code dir="ltr">{visibleLine(route)}</code>}
      </div>
      <div className="latchkey-use-end">
        {word !== undefined && (
          <span className="latchkey-status" data-slot="outcome" data-decision={shape}>
            {word}
          </span>
        )}
        {lines.map((line) => (
          <span key={line} className="latchkey-line">
            {line}
          </span>
        ))}
        <time className="latchkey-line" dateTime={use.at}>
          {new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(use.at))}
        </time>
      </div>
      {hasDetails(use) && (
        <Disclosure
          label={words.detailsShort}
          name={`${words.detailsShort}: ${shownTitle(title ?? whatOf(words, use))}`}
        >
          <ActivityDetails use={use} />
        </Disclosure>
      )}
    </li>
  )
}
