// The demo's app as a process that a test can start again with other addresses: SETTINGS has them, as JSON. Two routes are
// added: what an app does that hands pasted servers to its agent, and a round of the background.
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { LatchkeyError } from '@latchkey/core'
import { CLIENT_METADATA_URL } from '@latchkey/sandbox'
import { type BrokerClient, createBroker } from '@latchkey/server'
import { resolveMcpServers } from '@latchkey/server/mcp'
import { vaultFromEnv } from '@latchkey/server/vault'
import { Hono } from 'hono'
import { AGENT_ID } from '../../demo/src/agent.ts'
import { type BaseUrls, createProviders } from '../../demo/src/providers.ts'
import { createSessions } from '../../demo/src/session.ts'
import { createApp } from '../../demo/src/showcase/server/app.ts'
import { createScriptedModel } from '../../demo/src/showcase/server/scripted-model.ts'

export interface Settings {
  port: number
  /** A folder with the demo's page. */
  page: string
  baseUrls: BaseUrls
  clients: Record<string, BrokerClient>
  /** Origins of MCP servers on this machine. */
  mcpOrigins: string[]
  /** Origins that may get an account in a header. */
  headerOrigins: Record<string, string[]>
  /** With it, the vault of TOKEN_STORE_TYPE and TOKEN_STORE_URL keeps the accounts. */
  vault: boolean
  sessionSecret: string
}

const { port, page, baseUrls, clients, mcpOrigins, headerOrigins, sessionSecret, ...rest } = JSON.parse(
  process.env.SETTINGS ?? '',
) as Settings
const origins = [`http://localhost:${port}`]
const vault = rest.vault ? await vaultFromEnv() : undefined
const app = createApp({
  origins,
  baseUrls,
  clients,
  agent: { model: createScriptedModel({ chunkDelayInMs: 0 }), name: 'Scripted' },
  vault,
  sessionSecret,
  mcp: { origins: mcpOrigins, servers: [], clientMetadataUrl: CLIENT_METADATA_URL },
})

const providers = Object.values(createProviders(baseUrls))
const sessions = createSessions(`latchkey_demo_${port}`, { secure: false, secret: sessionSecret })
const options = { providers, clients, authenticate: sessions.find, allowedOrigins: origins }
const keeping = vault && createBroker({ ...options, vault })
const broker = keeping ?? createBroker(options)

const all = new Hono()
  .post('/api/agent', async (c) => {
    const { context, body } = await broker.agentContext(c.req.raw, await c.req.json(), { agent: AGENT_ID })
    try {
      const servers = await resolveMcpServers(body.servers, {
        context,
        providers,
        headerOrigins,
        effects: { cats: 'read' },
      })
      for (const { url = '', headers = {} } of Object.values(servers)) {
        await fetch(url, { method: 'POST', headers: { ...headers }, body: '{}' })
      }
      return c.json({ asked: Object.keys(servers) })
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error
      return c.json({ error: error.code, message: error.message }, 400)
    }
  })
  .post('/api/round', async (c) => c.json({ refreshed: await keeping?.refreshDue(1e6) }))
  .route('/', app)
  .use(serveStatic({ root: page }))

createServer(getRequestListener(all.fetch)).listen(port, '127.0.0.1', () => process.send?.('listening'))
