'use client'
import { type ReactNode, useId } from 'react'
import { useAccount, useAccounts, useKit, useProvider, useProviders } from '../hooks.ts'
import { Face } from '../ui/avatar.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { AccessRow } from './access-row.tsx'
import { useAgentMessages, useAgentsQuery, useHasWords, useRulesQuery } from './oversight.tsx'
import { Bones, Failed, Given, type Level } from './parts.tsx'
import { visibleLine } from './plain.ts'
import { findAgent, isGiven, lineOf } from './ruled.ts'
import { StopButton } from './stop-button.tsx'

/** Props of {@link AgentAccess}. */
export interface AgentAccessProps {
  /** Agent id. */
  agent: string
  /** Level of the heading with the agent's name. @default 3 */
  headingLevel?: Level
}

/** What one agent may do: a row for each connected account. Renders nothing for an agent that the app does not have. */
export function AgentAccess({ agent: agentId, headingLevel }: AgentAccessProps) {
  const words = useAgentMessages()
  const { icons } = useKit()
  const providers = useProviders()
  const accounts = useAccounts()
  const { agents, person, ...state } = useFacts()
  const agent = findAgent(agents, agentId)
  if (person && !agent) return null
  const line = agent && lineOf(agents, agent)
  const given = line ? accounts.filter(({ provider }) => isGiven(line, provider)) : []
  return (
    <Access
      {...state}
      name={agent?.name}
      headingLevel={headingLevel}
      under={line?.[1] && words.helperOf(visibleLine(line[1].name))}
      stop={agent && <StopButton target={{ agent: agent.id }} />}
      empty={given.length === 0 && words.noAccounts}
    >
      {person &&
        line &&
        given.map((account) => {
          const provider = providers.find(({ id }) => id === account.provider)
          return (
            <AccessRow
              key={account.id}
              person={person}
              line={line}
              account={account}
              mark={provider && brandMark(provider, icons)}
              name={account.label}
              aside={<span className="latchkey-hint">{provider?.name ?? visibleLine(account.provider)}</span>}
            />
          )
        })}
    </Access>
  )
}

/** Props of {@link AccountAccess}. */
export interface AccountAccessProps {
  /** Account id. */
  account: string
  /** Level of the heading with the account's name. @default 3 */
  headingLevel?: Level
}

/** Which agents may do what with one account. Renders nothing for an account that is not connected. */
export function AccountAccess({ account: accountId, headingLevel }: AccountAccessProps) {
  const words = useAgentMessages()
  const { icons } = useKit()
  const account = useAccount({ accountId })
  const provider = useProvider(account?.provider ?? '')
  const { agents, person, ...state } = useFacts()
  if (!account) return null
  const lines = agents.map((agent) => lineOf(agents, agent)).filter((line) => isGiven(line, account.provider))
  return (
    <Access
      {...state}
      name={account.label}
      headingLevel={headingLevel}
      under={provider?.name}
      mark={provider && brandMark(provider, icons)}
      stop={<StopButton target={{ account: account.id }} />}
      empty={lines.length === 0 && words.noAgents}
    >
      {person &&
        lines.map((line) => {
          const [agent, parent] = line
          return (
            <AccessRow
              key={agent.id}
              person={person}
              line={line}
              account={account}
              mark={<Face name={agent.name} src={undefined} />}
              name={agent.name}
              aside={parent && <span className="latchkey-hint">{words.helperOf(visibleLine(parent.name))}</span>}
            />
          )
        })}
    </Access>
  )
}

/** Agents and rules, and how it is with loading them. */
function useFacts() {
  const agents = useAgentsQuery()
  const rules = useRulesQuery()
  const hasWords = useHasWords()
  const failed = (agents.isError && !agents.data) || (rules.isError && !rules.data)
  return {
    agents: agents.data ?? [],
    person: agents.data && hasWords ? rules.data : undefined,
    status: failed
      ? ('failed' as const)
      : agents.data && rules.data && hasWords
        ? ('ready' as const)
        : ('loading' as const),
    retry: () => {
      agents.refetch()
      rules.refetch()
    },
  }
}

interface AccessProps {
  status: 'loading' | 'ready' | 'failed'
  retry: () => void
  name: string | undefined
  headingLevel: Level | undefined
  under: string | undefined
  mark?: ReactNode
  stop: ReactNode
  /** What to say instead of an empty list. */
  empty: string | false
  /** Rows. */
  children: ReactNode
}

/** The frame of both: a heading with what it is about, and rows. */
function Access(props: AccessProps) {
  const { status, retry, name, headingLevel = 3, under, mark, stop, empty, children } = props
  const titleId = useId()
  const Heading = `h${headingLevel}` as const
  return (
    <LiveRegion>
      <section
        {...useLanguage()}
        className="latchkey latchkey-card latchkey-access"
        aria-labelledby={name === undefined ? undefined : titleId}
        aria-busy={status === 'loading' || undefined}
      >
        {name !== undefined && (
          <div className="latchkey-access-head">
            {mark && <span className="latchkey-mark">{mark}</span>}
            <div className="latchkey-title">
              <Heading id={titleId} className="latchkey-name">
                <Given name={name} />
              </Heading>
              {under && <p className="latchkey-line">{under}</p>}
            </div>
            {status === 'ready' && stop}
          </div>
        )}
        {status === 'loading' && <Bones />}
        {status === 'failed' && <Failed onRetry={retry} />}
        {status === 'ready' && (empty ? <p className="latchkey-access-empty">{empty}</p> : <ul>{children}</ul>)}
      </section>
    </LiveRegion>
  )
}
