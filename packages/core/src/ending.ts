// Ends what a person let go: revocations that could not be made at once, and MCP servers that were removed.
import { type AccountStore, type DisconnectReceipt, FORMER, PENDING } from './accounts/account-store.ts'
import type { Endpoints } from './accounts/endpoints.ts'
import type { Mcp, McpAccounts } from './mcp/accounts.ts'
import { onceLoaded } from './once-loaded.ts'
import type { Provider } from './provider.ts'
import type { ConnectedAccount } from './snapshot.ts'

export interface Ending {
  /** Makes pending revocations now, or once a server can be reached. */
  follow(): Promise<void>
  /** Loads the code of a disconnect while there is a network. */
  prepare(): void
  remove: Mcp['remove']
}

interface EndingOptions {
  accounts: AccountStore
  endpoints: Endpoints
  mcp: () => Promise<McpAccounts>
  /** Tells the server, which has the account, that it is over. */
  end: (account: ConnectedAccount) => Promise<void>
  disconnect: (accountId: string) => Promise<DisconnectReceipt>
  /** Ends with the page's mount. */
  life: () => AbortSignal | undefined
  /** Loads what revokes an account. */
  load: () => Promise<unknown>
}

export function createEnding({ accounts, endpoints, mcp, end, disconnect, life, load }: EndingOptions): Ending {
  /** Removed MCP servers with pending revocations. */
  let former: readonly Provider[] = []
  const removal = onceLoaded(async () =>
    (await import('./mcp/removal.ts')).createRemoval(accounts, await mcp(), disconnect),
  )
  const revocations = onceLoaded(async () =>
    (await import('./accounts/pending-revocations.ts')).createRevocations(accounts, endpoints, {
      providers: () => [
        ...accounts.providers,
        ...former.filter(({ id }) => accounts.providers.every((listed) => listed.id !== id)),
      ],
      end,
      async onSettled() {
        if (former.length > 0) former = await (await removal()).former()
      },
    }),
  )

  async function follow(): Promise<void> {
    const names = await accounts.records.names()
    if (names.some((name) => name.startsWith(FORMER))) former = await (await removal()).former()
    const isPending = names.some((name) => name.startsWith(PENDING))
    const signal = life()
    if (!isPending || signal?.aborted !== false) return
    const start = await revocations()
    start(signal)
  }
  return {
    follow,
    prepare() {
      if (Object.keys(accounts.store.getState().accounts).length === 0) return
      for (const one of [load, revocations]) one().catch(() => {})
    },
    async remove(id) {
      const receipts = await (await removal()).remove(id)
      follow().catch(() => {})
      return receipts
    },
  }
}
