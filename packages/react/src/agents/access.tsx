'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { type Agent, unusedScopes } from '@latchkey/core/agents'
import { type ReactNode, useId } from 'react'
import { useAccount, useAccounts, useKit, useProvider, useProviders } from '../hooks.ts'
import { Face } from '../ui/avatar.tsx'
import { SmallButton } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { neverRejecting } from '../use-connect.ts'
import { meaningOf, useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { AccessRow } from './access-row.tsx'
import { useFacts } from './facts.ts'
import { useNow } from './now.ts'
import { useAgentMessages, useLastUses } from './oversight.tsx'
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

/**
 * What one agent may do: a row for each connected account, and one for each provider that it has tools for and none is
 * connected of. Renders nothing for an agent that the app does not have.
 */
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
  // What is chosen for these holds from their first moment on.
  const missing = providers.filter(
    ({ id }) =>
      line &&
      isGiven(line, id) &&
      line[0].tools.some(({ provider }) => provider === id) &&
      accounts.every(({ provider }) => provider !== id),
  )
  return (
    <Access
      {...state}
      name={agent?.name}
      headingLevel={headingLevel}
      under={line?.[1] && words.helperOf(visibleLine(line[1].name))}
      stop={agent && <StopButton target={{ agent: agent.id }} />}
      empty={given.length + missing.length === 0 && words.noAccounts}
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
              provider={account.provider}
              mark={provider && brandMark(provider, icons)}
              name={account.label}
              aside={<span className="latchkey-hint">{provider?.name ?? visibleLine(account.provider)}</span>}
            />
          )
        })}
      {person &&
        line &&
        missing.map((provider) => (
          <AccessRow
            key={provider.id}
            person={person}
            line={line}
            provider={provider.id}
            mark={brandMark(provider, icons)}
            name={provider.name}
          />
        ))}
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
      foot={provider && <Advice agents={agents} account={account} provider={provider} />}
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
              provider={account.provider}
              mark={<Face name={agent.name} src={undefined} />}
              name={agent.name}
              aside={parent && <span className="latchkey-hint">{words.helperOf(visibleLine(parent.name))}</span>}
            />
          )
        })}
    </Access>
  )
}

interface AdviceProps {
  agents: readonly Agent[]
  account: ConnectedAccount
  provider: Provider
}

/** What the account has and nobody uses, and a button that connects it again without that. */
function Advice({ agents, account, provider }: AdviceProps) {
  const words = useAgentMessages()
  const messages = useFirstMessages()
  const { client } = useKit()
  const now = useNow()
  const lastUses = useLastUses()
  const unused = lastUses && now > 0 ? unusedScopes({ provider, account, agents, lastUses, now }) : []
  if (unused.length === 0) return null
  const names = unused.map((scope) => visibleLine(meaningOf(messages, provider, scope)))
  const rest = account.scopes.filter((scope) => !unused.includes(scope))
  const askLess = () =>
    neverRejecting(() => client.connect(provider.id, { scopes: rest, only: true, accountId: account.id }), provider.id)
  return (
    <div className="latchkey-access-advice" data-slot="advice">
      <p className="latchkey-line">{words.unused(new Intl.ListFormat(messages.locale).format(names))}</p>
      <SmallButton label={words.askLess} onPress={() => void askLess()} />
    </div>
  )
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
  /** Below the rows. */
  foot?: ReactNode
  /** Rows. */
  children: ReactNode
}

/** The frame of both: a heading with what it is about, and rows. */
function Access(props: AccessProps) {
  const { status, retry, name, headingLevel = 3, under, mark, stop, empty, foot, children } = props
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
        {status === 'ready' && foot}
      </section>
    </LiveRegion>
  )
}
