import type { ClientMetadata } from 'oidc-provider'
import { type BetterAuthStandIn, startBetterAuth } from './better-auth.ts'
import { type McpServerOptions, type McpStandIn, startMcpServer } from './mcp-server.ts'

/** The client id of the client with a metadata document. */
export const CLIENT_METADATA_URL = 'https://latchkey.example/client-metadata.json'

export interface McpSandboxOptions {
  appOrigins: string[]
  callbackPath?: string
  /** The first port; the others follow it. 0 takes free ones. @default 0 */
  port?: number
  /** Lifetime of access tokens in seconds. */
  accessTtl?: number
}

export interface McpSandbox {
  /** Accepts a client ID metadata document. */
  notes: McpStandIn
  /** Supports dynamic registration only. */
  tickets: McpStandIn
  /** Has one client, registered before. */
  files: McpStandIn
  /** One of its tools needs an extra scope. */
  ledger: McpStandIn
  /** Sends no CORS headers. */
  archive: McpStandIn
  /** Kaggle's MCP server. */
  kaggleMcp: McpStandIn
  /** Supports dynamic registration, at better-auth. One of its tools needs an extra scope. */
  better: BetterAuthStandIn
  /** Has one client, registered before, at better-auth. */
  shelf: BetterAuthStandIn
  /** All servers on oidc-provider. */
  all: McpStandIn[]
  close(): Promise<void>
}

const read = (title: string, description: string, text: string) => ({
  title,
  description,
  scope: 'mcp:read' as const,
  answer: () => text,
})

/** Starts the stand-in MCP servers on 127.0.0.1, with everything in memory. */
export async function startMcpSandbox(options: McpSandboxOptions): Promise<McpSandbox> {
  const { appOrigins, callbackPath = '/api/latchkey/callback', port = 0, accessTtl } = options
  const redirectUris = appOrigins.map((origin) => origin + callbackPath)
  const document: ClientMetadata = {
    client_id: CLIENT_METADATA_URL,
    client_name: 'Latchkey demo',
    application_type: 'native',
    redirect_uris: redirectUris,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  let next = port
  const start = (
    server: Pick<McpServerOptions, 'id' | 'name' | 'hue' | 'tools' | 'registration' | 'noCors' | 'modern' | 'nameless'>,
  ) =>
    startMcpServer({
      ...server,
      port: port === 0 ? 0 : next++,
      redirectUris,
      accessTtl,
      clientDocuments: { [CLIENT_METADATA_URL]: document },
    })
  const entries: string[] = []
  const notes = await start({
    id: 'notes',
    name: 'Sandbox Notes',
    hue: 150,
    registration: 'metadata-document',
    tools: { list_notes: read('List notes', 'Lists the notes of the person.', '- Buy paper tape\n- Note G, revised') },
  })
  const tickets = await start({
    id: 'tickets',
    name: 'Sandbox Tickets',
    hue: 25,
    registration: 'dynamic',
    tools: {
      list_tickets: read('List tickets', 'Lists open tickets.', '- T-12: Mill jams on wet days'),
      print_tickets: {
        ...read('Print tickets', 'Prints the open tickets.', 'One page was printed.'),
        page: 'Allow this printer',
      },
    },
  })
  const files = await start({
    id: 'files',
    name: 'Sandbox Files',
    nameless: true,
    hue: 260,
    registration: 'static',
    tools: { list_files: read('List files', 'Lists files.', '- engine.txt\n- bernoulli.csv') },
  })
  const ledger = await start({
    id: 'ledger',
    name: 'Sandbox Ledger',
    hue: 320,
    registration: 'dynamic',
    tools: {
      read_ledger: read('Read the ledger', 'Reads the ledger.', '- 1843: 12 pounds'),
      add_entry: {
        title: 'Add an entry',
        description: 'Adds an entry to the ledger. Needs more access than reading.',
        scope: 'mcp:write',
        answer: () => `Entry ${entries.push('entry')} was added.`,
      },
    },
  })
  const archive = await start({
    id: 'archive',
    name: 'Sandbox Archive',
    hue: 80,
    registration: 'dynamic',
    noCors: true,
    tools: { search_archive: read('Search the archive', 'Searches the archive.', '- Letter of 10 July 1843') },
  })
  const kaggleMcp = await start({
    id: 'kaggle-mcp',
    name: 'Sandbox Kaggle MCP',
    hue: 210,
    registration: 'dynamic',
    modern: true,
    tools: {
      join_competition: {
        ...read('Join a competition', 'Joins the Titanic competition.', 'You are in: Titanic.'),
        page: 'Accept the rules',
      },
      search_competitions: read(
        'Search competitions',
        'Searches competitions on Kaggle.',
        '- Titanic: Machine Learning',
      ),
      list_datasets: read('List datasets', 'Lists datasets on Kaggle.', '- ada/bernoulli-numbers'),
    },
  })
  const better = await startBetterAuth({
    id: 'better',
    name: 'Better Notes',
    port: port === 0 ? 0 : next++,
    tools: {
      recall_notes: read('Recall notes', 'Recalls the notes of the person.', '- Behind better-auth'),
      write_note: {
        title: 'Write a note',
        description: 'Writes a note. Needs more access than reading.',
        scope: 'mcp:write',
        answer: () => 'A note was written.',
      },
    },
  })
  const shelf = await startBetterAuth({
    id: 'shelf',
    name: 'Better Shelf',
    port: port === 0 ? 0 : next++,
    registration: 'static',
    redirectUris,
    tools: { list_books: read('List books', 'Lists the books of the person.', '- Sketch of the Analytical Engine') },
  })
  const all = [notes, tickets, files, ledger, archive, kaggleMcp]
  return {
    notes,
    tickets,
    files,
    ledger,
    archive,
    kaggleMcp,
    better,
    shelf,
    all,
    async close() {
      await Promise.all([...all, better, shelf].map((server) => server.close()))
    },
  }
}
