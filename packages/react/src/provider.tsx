'use client'
import {
  createLatchkey,
  defaultAccount,
  type KeyFields,
  type LatchkeyClient,
  type LatchkeyOptions,
} from '@latchkey/core'
import { QueryClient, QueryClientContext, QueryClientProvider } from '@tanstack/react-query'
import { type ReactNode, useContext, useEffect, useMemo, useRef, useState } from 'react'
import { KitContext } from './hooks.ts'
import type { MessageOverrides } from './messages/messages.ts'
import { VoiceContext } from './ui/live-region.tsx'

interface SharedProps {
  children?: ReactNode
  /**
   * Keys that are given with the app's configuration: provider id → fields, as `providersFromConfig()` returns them.
   * On mount each connects once, unless its provider has an account already; a failure shows on its card. A prop is
   * a place where React keeps the value: give keys this way only where the configuration holds them anyway.
   */
  tokens?: Readonly<Record<string, KeyFields>>
  /** Words to use in place of the English ones. */
  messages?: MessageOverrides
  /**
   * What should come back when a connect leaves the page, such as typed text: JSON of at most 8 kB. Called in the
   * click that leaves.
   */
  keep?: () => unknown
  /** Called once with what `keep` gave, when the page is back. */
  onReturn?: (kept: unknown) => void
  /**
   * Takes an MCP server out of `providers`, once its accounts are disconnected. With it, the menus of MCP servers have
   * "Remove server": see `useMcpServers`.
   */
  onRemoveServer?: (providerId: string) => void
  /**
   * Asks what an agent may do before a window opens: sensitive scopes are not preselected, those of `requiredScopes`
   * are fixed, and the others can be left out.
   *
   * @default false: only the provider's own page asks
   */
  consent?: boolean
  /** Brand marks by provider id, in place of or beside the built-in ones. */
  icons?: Readonly<Record<string, ReactNode>>
  /**
   * The nonce of the page's content security policy, for the one inline script in a panel's server HTML. Without it
   * such a policy stops the script, and the cards grow when the accounts are read.
   */
  nonce?: string
}

/** Either a client that the app made, or the options to make one of. */
export type LatchkeyProviderProps = SharedProps &
  (
    | ({ client: LatchkeyClient } & { [Option in keyof LatchkeyOptions]?: undefined })
    | ({ client?: undefined } & LatchkeyOptions)
  )

const NO_ICONS = {}

const fresh = new WeakMap<object, LatchkeyClient>()

/**
 * The client for a mount. StrictMode mounts twice in one tick with the same props, and React 18 keeps nothing of the
 * first time: the second is given the first one's client, instead of leaving that one over.
 */
function createOnce(props: object, options: LatchkeyOptions): LatchkeyClient {
  let client = fresh.get(props)
  if (!client) {
    client = createLatchkey(options)
    fresh.set(props, client)
    queueMicrotask(() => fresh.delete(props))
  }
  return client
}

/**
 * Gives the tree below it connected accounts. Pass `client`, or `providers` with `broker` and other
 * {@link LatchkeyOptions}. One client lives as long as the mount: later changes of `providers` are handed to it
 * (an array written inline is fine), later changes of other options are ignored; use a `key` for those.
 *
 * Queries run in the app's own QueryClient when there is one above, else in one of its own.
 */
export function LatchkeyProvider(props: LatchkeyProviderProps) {
  const { children, messages, icons = NO_ICONS, consent = false, nonce, tokens, ...others } = props
  const { keep, onReturn, onRemoveServer, ...rest } = others
  const handlers = { keep, onReturn, onRemoveServer }
  const { client: given, ...options } = rest
  const [own] = useState(() => given ?? createOnce(props, options as LatchkeyOptions))
  const client = given ?? own

  const outerQueries = useContext(QueryClientContext)
  const [ownQueries] = useState(() => new QueryClient())
  const [voice] = useState({})

  useEffect(() => client.mount(), [client])

  const asked = useRef(handlers)
  useEffect(() => {
    asked.current = handlers
  })
  const returned = useRef<LatchkeyClient>(undefined)
  useEffect(() => {
    if (returned.current === client) return
    returned.current = client
    client.handleRedirect().then(
      (outcome) => outcome?.kept !== undefined && asked.current.onReturn?.(outcome.kept),
      () => {}, // The provider's card says how it ended.
    )
  }, [client])

  const { providers } = options
  useEffect(() => {
    if (providers && JSON.stringify(providers) !== JSON.stringify(client.providers)) client.setProviders(providers)
  }, [client, providers])

  const givenOnce = useRef(new Set<string>())
  useEffect(() => {
    if (!tokens) return
    const connectGiven = () => {
      const snapshot = client.getSnapshot()
      if (snapshot.status === 'loading') return
      for (const [providerId, fields] of Object.entries(tokens)) {
        if (givenOnce.current.has(providerId)) continue
        givenOnce.current.add(providerId)
        if (defaultAccount(snapshot, providerId)) continue
        // A failure is in the provider's state, where its card shows it.
        client.connectKey(providerId, fields).catch(() => {})
      }
    }
    connectGiven()
    return client.subscribe(connectGiven)
  }, [client, tokens])

  const kit = useMemo(
    () => ({
      client,
      messages,
      icons,
      consent,
      nonce,
      keep: () => asked.current.keep?.(),
      remover: () => asked.current.onRemoveServer,
    }),
    [client, messages, icons, consent, nonce],
  )
  return (
    <QueryClientProvider client={outerQueries ?? ownQueries}>
      <KitContext.Provider value={kit}>
        <VoiceContext.Provider value={voice}>{children}</VoiceContext.Provider>
      </KitContext.Provider>
    </QueryClientProvider>
  )
}
