// Removing an MCP server. Where its accounts cannot be ended at once, what that needs of the server is kept until it is done.
import { type AccountStore, type DisconnectReceipt, FORMER, PENDING } from '../accounts/account-store.ts'
import { errorAbout } from '../errors.ts'
import { parseObject } from '../json.ts'
import { isMcp, type McpProvider } from '../provider.ts'
import { accountsOf } from '../snapshot.ts'
import type { McpAccounts } from './accounts.ts'
import { type McpOptions, mcp, mcpOptions } from './config.ts'

/** Removes servers, and remembers those with pending revocations. */
export interface Removal {
  /** See `Mcp.remove`. */
  remove(providerId: string): Promise<Record<string, DisconnectReceipt>>
  /** Removed servers with pending revocations. Of the others nothing is left after this. */
  former(): Promise<McpProvider[]>
}

/** Whether a provider has pending revocations. An account's id begins with its provider's. */
const hasPending = (names: readonly string[], id: string) => names.some((name) => name.startsWith(`${PENDING}${id}.`))

/** @param disconnect ends one account, and never rejects. */
export function createRemoval(
  accounts: AccountStore,
  { mcp: room, issuersOf, forgetIssuers }: McpAccounts,
  disconnect: (accountId: string) => Promise<DisconnectReceipt>,
): Removal {
  const { records, storage, store, writer } = accounts

  /** Deletes this app's clients at these authorization servers, except where another server's accounts need them. */
  async function forgetClients(server: McpProvider, issuers: readonly string[]): Promise<void> {
    const others = accounts.providers.filter(({ id }) => id !== server.id)
    const needed = [
      ...others.flatMap(({ id }) => issuersOf(id)),
      ...Object.values(store.getState().accounts).map(({ issuer }) => issuer),
    ]
    for (const issuer of issuers) {
      if (!needed.includes(issuer)) await room.registrations.delete(issuer, room.fetchFor(server))
    }
  }

  /** A removed server out of storage. Undefined if another version wrote it. */
  async function read(name: string): Promise<{ server: McpProvider; issuers: readonly string[] } | undefined> {
    const { server, issuers } = parseObject((await storage.getItem(records.key(name))) ?? '') ?? {}
    try {
      return { server: mcp(server as McpOptions), issuers: issuers as readonly string[] }
    } catch {
      return undefined
    }
  }

  return {
    async remove(id) {
      const server = accounts.find(id)
      if (!isMcp(server)) throw errorAbout(server, 'misuse', `${server.name} is no MCP server.`)
      const own = accountsOf(store.getState(), id)
      const issuers = [...new Set([...own.map(({ issuer }) => issuer), ...issuersOf(id)])]
      const receipts = await Promise.all(own.map(async (one) => [one.id, await disconnect(one.id)] as const))
      forgetIssuers(id)
      // The token is revoked as this client, so that has to stay until then.
      const isPending = hasPending(await records.names(), id) || receipts.some(([, { status }]) => status === 'pending')
      if (isPending) await writer.note(`${FORMER}${id}`, { server: mcpOptions(server), issuers })
      else await forgetClients(server, issuers)
      accounts.setProvider(id)
      return Object.fromEntries(receipts)
    },
    async former() {
      const names = await records.names()
      const servers: McpProvider[] = []
      for (const name of names.filter((one) => one.startsWith(FORMER))) {
        const kept = await read(name)
        if (kept && hasPending(names, kept.server.id)) servers.push(kept.server)
        else {
          await writer.remove(name)
          const isBack = accounts.providers.some(({ id }) => id === kept?.server.id)
          if (kept && !isBack) await forgetClients(kept.server, kept.issuers)
        }
      }
      return servers
    },
  }
}
