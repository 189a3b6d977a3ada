// What is left to do about accounts and MCP servers that a person let go: revocations that nobody could be told.
import { type AccountStore, type DisconnectReceipt, FORMER, OWED } from './accounts/account-store.ts'
import type { Endpoints } from './accounts/endpoints.ts'
import type { Mcp, McpAccounts } from './mcp/accounts.ts'
import { onceLoaded } from './once-loaded.ts'
import type { Provider } from './provider.ts'
import type { ConnectedAccount } from './snapshot.ts'

/** What a page still has to do about accounts that are gone. */
export interface Farewells {
  /** What disconnects left to do is done now, or once a server can be reached. */
  follow(): Promise<void>
  /** Loads what keeps a disconnect that nobody can be told, before the network may be gone. */
  prepare(): void
  remove: Mcp['remove']
}

interface FarewellOptions {
  accounts: AccountStore
  endpoints: Endpoints
  mcp: () => Promise<McpAccounts>
  /** Tells the server, which has the account, that it is over. */
  end: (account: ConnectedAccount) => Promise<void>
  disconnect: (accountId: string) => Promise<DisconnectReceipt>
  /** Ends with the page's mount. */
  life: () => AbortSignal | undefined
  /** Loads what ends an account. */
  ending: () => Promise<unknown>
}

export function createFarewells({
  accounts,
  endpoints,
  mcp,
  end,
  disconnect,
  life,
  ending,
}: FarewellOptions): Farewells {
  /** MCP servers that were removed and are still owed something. */
  let former: readonly Provider[] = []
  const isListed = ({ id }: Provider) => accounts.providers.some((one) => one.id === id)
  const creditors: AccountStore = Object.create(accounts, {
    providers: { get: () => [...accounts.providers, ...former.filter((one) => !isListed(one))] },
    writer: {
      value: {
        ...accounts.writer,
        async remove(name: string) {
          await accounts.writer.remove(name)
          // The last thing that was owed to a removed server.
          if (former.length > 0) former = await (await removal()).former()
        },
      },
    },
  })
  const debts = onceLoaded(async () => (await import('./accounts/owed.ts')).createDebts(creditors, endpoints, end))
  const removal = onceLoaded(async () =>
    (await import('./mcp/removal.ts')).createRemoval(accounts, await mcp(), disconnect),
  )

  async function follow(): Promise<void> {
    const names = await accounts.records.names()
    if (names.some((name) => name.startsWith(FORMER))) former = await (await removal()).former()
    const owes = names.some((name) => name.startsWith(OWED))
    const signal = life()
    if (owes && signal?.aborted === false) (await debts()).follow(signal)
  }
  return {
    follow,
    prepare() {
      if (Object.keys(accounts.store.getState().accounts).length === 0) return
      for (const load of [ending, debts]) load().catch(() => {})
    },
    async remove(id) {
      const receipts = await (await removal()).remove(id)
      follow().catch(() => {})
      return receipts
    },
  }
}
