'use client'
import type { ConnectedAccount, Provider } from '@latchkey/core'
import { labelsPerson } from '@latchkey/core/internal'
import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useAccount, useAgentAccounts, useKit } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { useMayHave } from '../parts/agent-limit.ts'
import { SubjectContext } from '../parts/context.tsx'
import { StatusWord } from '../parts/status-word.tsx'
import { whenIdle } from '../ui/idle.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'
import { abilitiesOf } from './abilities.ts'

const HOUR = 3_600_000

interface AccountLineProps {
  provider: Provider
  account: ConnectedAccount
  /** The provider has others, so the row has the account's name already. */
  several: boolean
}

/** A row's line: how the account is, and what else matters now. Loaded once the page is painted. */
export function AccountLine({ provider, account, several }: AccountLineProps) {
  const messages = useMessages()
  const { status, reason, label } = account
  useFreshProfile(provider, account)
  // What the row opens: nothing is left to fetch at a click. The person may be offline by then, or the app deployed anew.
  useEffect(() => whenIdle(loadAhead), [])
  const why = reason && messages.reasons[reason]?.(provider.name)
  if (status === 'expiring')
    return (
      <SubjectContext.Provider value={{ provider, account, status, reason }}>
        <span className="latchkey-status" data-slot="status" data-status={status}>
          <Account.Expiry />
        </span>
      </SubjectContext.Provider>
    )
  if (status === 'needs-reconnect') return <StatusWord status={status} word={why} />
  const connected = status === 'connected'
  const partly = account.missingScopes.length > 0 && messages.partly
  const isServer = 'mcp' in provider
  const tools = account.server?.toolCount
  const server = isServer && [new URL(provider.mcp.url).host, tools && messages.toolCount(tools)].filter(Boolean)
  const about = server ? server.join(' · ') : abilitiesOf(messages, provider, account)
  const more = connected ? (why ?? (partly || about)) : !several && (isServer ? about : label)
  const signedIn = labelsPerson(provider, account) ? messages.connectedAs(label) : messages.signedIn
  return (
    <>
      <StatusWord status={status} word={connected && !several ? signedIn : undefined} />
      {more && (
        <>
          {' '}
          <span className="latchkey-aside">{more}</span>
        </>
      )}
    </>
  )
}

/** In the panel's foot while the browser is offline. */
export function OfflineNote() {
  const { offlineNote } = useMessages()
  const announce = useAnnounce()
  useEffect(() => announce(offlineNote), [announce, offlineNote])
  return <p>{offlineNote}</p>
}

interface AgentSwitchProps {
  provider: Provider
  /** The agent's id. */
  agent: string
}

/**
 * Whether an agent uses what is connected at a provider. Renders nothing where the row has something else to do, and for an
 * agent that the app gives no account of this provider.
 */
export function AgentSwitch({ provider: { id, name }, agent }: AgentSwitchProps) {
  const messages = useMessages()
  const account = useAccount(id)
  const { providers, setIncluded } = useAgentAccounts(agent)
  const mayHave = useMayHave(agent)
  if (!mayHave(id) || account?.status !== 'connected' || account.missingScopes.length > 0) return null
  const label = messages.inChat(name)
  return (
    <input
      type="checkbox"
      // biome-ignore lint/a11y/useAriaPropsForRole: A checkbox says by itself whether it is checked.
      role="switch"
      className="latchkey-switch"
      data-slot="switch"
      aria-label={label}
      title={label}
      checked={providers.some((one) => one.id === id && one.included)}
      onChange={(event) => setIncluded(id, event.currentTarget.checked)}
    />
  )
}

/** What a row opens, and what a card says of a disconnect. What fails here is asked for again at the click. */
function loadAhead() {
  if (!navigator.onLine) return
  Promise.all([import('./account-extras.lazy.tsx'), import('../connect/events.lazy.ts')]).catch(() => {})
}

/**
 * Reads name and picture, or an MCP server's name and tools, again once they are an hour old. The cache is given the
 * account's id and nothing else.
 */
function useFreshProfile(provider: Provider, account: ConnectedAccount) {
  const { client } = useKit()
  const isAsked = provider.kind === 'mcp' || (provider.kind === 'oauth' && provider.profile?.cors === true)
  useQuery({
    queryKey: ['latchkey', 'profile', account.id],
    queryFn: async () => (await client.refreshProfile(account.id)).id,
    enabled: isAsked && account.status === 'connected',
    // A new account's profile was read when it was connected. An MCP server is asked after that.
    initialData: account.id,
    initialDataUpdatedAt: provider.kind === 'mcp' ? (account.server?.readAt ?? 0) : account.connectedAt,
    staleTime: HOUR,
    retry: false,
    throwOnError: false,
    // The store tells of what changed, so this query's own progress need not render anything.
    notifyOnChangeProps: [],
  })
}
