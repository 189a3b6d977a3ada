'use client'
import type { Agent, Activity as Use } from '@latchkey/core/agents'
import { useId, useState } from 'react'
import { useAccounts, useKit, useProviders } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { Exports } from './activity-export.tsx'
import { Verify } from './activity-verify.tsx'
import { hasDetails, resultOf, shownHost, whatOf } from './activity-words.ts'
import { momentWords } from './now.ts'
import { useActivity, useAgentMessages, useAgents, useHasWords } from './oversight.tsx'
import { Bones, Disclosure, Failed, ToolTitle } from './parts.tsx'
import { plainName, shownTitle, visibleLine } from './plain.ts'
import { findAgent } from './ruled.ts'

const useDetails = /* @__PURE__ */ later(() => import('./activity-details.lazy.tsx'), 'ActivityDetails')

/** Props of {@link Activity}. */
export interface ActivityProps {
  /** Agent id. @default all agents, and a choice of one */
  agent?: string
  /** Account id. @default all accounts */
  account?: string
  /** Level of the heading. @default 2 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
}

/**
 * What agents did with accounts, newest first: what was done, what was blocked, and what failed. What is new comes by
 * itself. The person can save all of it, and have the log behind it checked.
 */
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
          {uses.length > 0 && <Exports key={`${agent} ${account}`} agent={agent} account={account} />}
          <Verify newest={uses[0]?.at} />
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
      {hasDetails(use) && <Details use={use} title={title ?? whatOf(words, use)} />}
    </li>
  )
}

/** What decided and what it was called with, below a button: both are asked for then. */
function Details({ use, title }: { use: Use; title: string }) {
  const { detailsShort } = useAgentMessages()
  return (
    <Disclosure label={detailsShort} name={`${detailsShort}: ${shownTitle(title)}`}>
      <Later use={use} />
    </Disclosure>
  )
}

function Later({ use }: { use: Use }) {
  const [Details] = useDetails(true)
  return Details ? <Details use={use} /> : <Bones />
}
