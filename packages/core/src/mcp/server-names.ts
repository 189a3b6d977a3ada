// MCP servers as they call themselves. Loaded once an account knows that of its server.
import type { Page } from '../accounts/page.ts'
import { isMcp, type McpProvider, type Provider } from '../provider.ts'
import type { McpServerFacts } from '../snapshot.ts'

/** Providers under their servers' own names: the provider as the page lists it, and the facts that were used. */
const renamed = new WeakMap<Provider, { listed: McpProvider; server: McpServerFacts }>()

/**
 * Lists the page's MCP servers with their own names and pictures, as far as accounts know them. A name that another
 * provider of the page has is not taken: people would mistake the server for that one.
 */
export function nameServers(page: Page): void {
  const accounts = Object.values(page.store.getState().accounts)
  const listed = page.providers.map((provider) => renamed.get(provider)?.listed ?? provider)
  const taken = new Set<string>()
  const next = listed.map((provider, at) => {
    // What was connected at another address says nothing about the server that is there now.
    const { server } = accounts.find((one) => one.provider === provider.id && one.server && !page.changeOf(one)) ?? {}
    if (!server || !isMcp(provider)) return provider
    const folded = server.name?.toLowerCase()
    const isOthers = listed.some((other) => other !== provider && other.name.toLowerCase() === folded)
    const name = server.name && folded && !isOthers && !taken.has(folded) ? server.name : provider.name
    taken.add(name.toLowerCase())
    const now = page.providers[at]
    if (now && renamed.get(now)?.server === server && now.name === name) return now
    const called: McpProvider = { ...provider, name, mcp: { ...provider.mcp, icon: server.icon } }
    renamed.set(called, { listed: provider, server })
    return called
  })
  if (next.every((provider, at) => provider === page.providers[at])) return
  page.providers = next
  page.store.setState({})
}
