import { LatchkeyError, type Provider } from '@latchkey/core'
import { safeUrl } from '@latchkey/core/internal'
import { cleanText } from '@latchkey/core/server'
import { cardDocument } from '../card/document.ts'
import type { CardProvider } from '../card/page.ts'
import { AuthorizationRequired } from '../required.ts'

/** Options of {@link connectCard}. */
export interface ConnectCardOptions {
  /** Those that tools of this server need. The card has its names from here. */
  providers: readonly Pick<Provider, 'id' | 'name'>[]
  /** Your app's own page where a person connects an account: an https URL. It gets the provider's id as `?provider=`. */
  url: string
  /** The address of the card. @default 'ui://latchkey/connect' */
  uri?: string
}

/** An MCP server of the official SDK, as far as it is needed. */
export interface McpAppServer {
  registerResource(
    name: string,
    uri: string,
    config: { mimeType: string; description: string },
    read: () => { contents: { uri: string; mimeType: string; text: string; _meta: Record<string, unknown> }[] },
  ): unknown
}

/** What a tool of an MCP server answers where an account is missing. */
export interface CardResult {
  [member: string]: unknown
  isError: true
  content: { type: 'text'; text: string }[]
  /** A `ConnectRequest`. */
  structuredContent: Record<string, unknown>
}

/** A card for the hosts of MCP Apps, and what makes tools show it. */
export interface ConnectCard {
  /** Gives a server the card. Call it once for each server that you make. */
  register(server: McpAppServer): void
  /** For the tool: `server.registerTool(name, { …, _meta: card.toolMeta }, …)`. */
  toolMeta: { ui: { resourceUri: string } }
  /** Makes a tool answer with what it needs, in place of throwing it. Any other error is thrown as it is. */
  orCard<Given extends unknown[], Result>(
    execute: (...given: Given) => Result | Promise<Result>,
  ): (...given: Given) => Promise<Result | CardResult>
}

/** @see MCP Apps 2026-01-26 "UI Resource Format" */
const MIME_TYPE = 'text/html;profile=mcp-app'
/** Nothing from anywhere, and no permission of the browser. */
const NO_DOMAINS = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] }

/**
 * A card that asks for a missing account in hosts of MCP Apps, such as Claude and ChatGPT. Its one button lets the host open your
 * app's own page, in the person's browser. When they are back, *Continue* tells the chat so, and the tool is called again.
 *
 * ```ts
 * const card = connectCard({ providers: [github()], url: 'https://app.example.com/connect' })
 * card.register(server)
 * const config = { inputSchema, _meta: card.toolMeta }
 * server.registerTool('list_repositories', config, card.orCard(withAccount({ provider: github() }, list)))
 * ```
 *
 * No token reaches the card: it has names and addresses of this server, and a result of a tool only says which of them is shown. It
 * loads nothing, sends nothing but to its host, and goes nowhere. For a provider that is not listed it shows nothing.
 *
 * @throws LatchkeyError `misuse` if `url` is no https URL, or `uri` does not begin with `ui://`
 * @see MCP Apps 2026-01-26
 */
export function connectCard({ providers, url, uri = 'ui://latchkey/connect' }: ConnectCardOptions): ConnectCard {
  if (!safeUrl(url)) throw new LatchkeyError('misuse', `${JSON.stringify(url)} is no https URL of a page.`)
  if (!uri.startsWith('ui://')) throw new LatchkeyError('misuse', `${JSON.stringify(uri)} does not begin with ui://.`)
  const known = providers.map(({ id, name }) => ({ id, name: cleanText(name) || id, url: pageOf(url, id) }))
  const text = documentOf(known)
  const _meta = { ui: { csp: NO_DOMAINS, prefersBorder: true } }
  return {
    toolMeta: { ui: { resourceUri: uri } },
    register: (server) =>
      void server.registerResource(
        'connect-account',
        uri,
        { mimeType: MIME_TYPE, description: 'Asks the person to connect an account' },
        () => ({ contents: [{ uri, mimeType: MIME_TYPE, text, _meta }] }),
      ),
    orCard:
      (execute) =>
      async (...given) => {
        try {
          return await execute(...given)
        } catch (error) {
          if (!(error instanceof AuthorizationRequired)) throw error
          return resultOf(
            error,
            known.find(({ id }) => id === error.request.provider),
          )
        }
      },
  }
}

function pageOf(url: string, provider: string): string {
  const page = new URL(url)
  page.searchParams.set('provider', provider)
  return page.href
}

/** Data of a script ends with the first tag that closes it. */
const documentOf = (known: CardProvider[]) =>
  cardDocument.join(JSON.stringify(known).replaceAll('<', String.raw`\u003c`))

/** With the page in its words, for a host that shows no card. */
function resultOf(error: AuthorizationRequired, provider: CardProvider | undefined): CardResult {
  const text = provider ? `Connect ${provider.name} at ${provider.url} to continue.` : error.message
  // A client in this process would see the mark of a request that is not JSON.
  return { isError: true, content: [{ type: 'text', text }], structuredContent: JSON.parse(JSON.stringify(error)) }
}
