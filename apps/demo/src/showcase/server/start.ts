import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createProbe } from 'node:net'
import path from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { mcpServers } from '@latchkey/core/mcp'
import { CLIENT_METADATA_URL, type OAuthStandIn, PROJECTS_MCP, startMcpSandbox, startSandbox } from '@latchkey/sandbox'
import { createVault, localKeys, vaultFromEnv } from '@latchkey/server/vault'
import react from '@vitejs/plugin-react'
import { Hono } from 'hono'
import { createServer as createVite } from 'vite'
import { createProviders } from '../../providers.ts'
import { createApp } from './app.ts'
import { createColleague } from './colleague.ts'
import { chooseModel } from './model.ts'

const root = path.join(import.meta.dirname, '../../..')
try {
  process.loadEnvFile(path.join(root, '../../.env'))
} catch {
  // There is no .env. None is needed: see .env.example.
}
const { env } = process

/** The wanted port, or a free one if it is taken. */
async function freePort(wanted: number): Promise<number> {
  const probe = createProbe()
  const listen = (port: number) =>
    new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => resolve(true))
    })
  if (!(await listen(wanted))) await listen(0)
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

const port = await freePort(Number(env.PORT ?? 5173))
const origins = [`http://localhost:${port}`, `http://127.0.0.1:${port}`]
const sandbox = await startSandbox({
  appOrigins: origins,
  ports: {
    github: await freePort(Number(env.GITHUB_PORT ?? 4101)),
    google: await freePort(Number(env.GOOGLE_PORT ?? 4102)),
    kaggle: await freePort(Number(env.KAGGLE_PORT ?? 4103)),
    metrics: await freePort(Number(env.METRICS_PORT ?? 4104)),
  },
})

const mcpPort = Number(env.MCP_PORT ?? 4110)
// Eight consecutive ports; if one of them is taken, any free ones.
const mcpPorts = await Promise.all(Array.from({ length: 8 }, (_, at) => freePort(mcpPort + at)))
const mcpSandbox = await startMcpSandbox({
  appOrigins: origins,
  port: mcpPorts.every((free, at) => free === mcpPort + at) ? mcpPort : 0,
})
const mcpStandIns = [...mcpSandbox.all, mcpSandbox.better, mcpSandbox.shelf]
const mcp = {
  origins: mcpStandIns.map(({ url }) => url),
  clientMetadataUrl: CLIENT_METADATA_URL,
  servers: mcpStandIns.map((server) => ({
    name: server.id,
    url: server.mcp,
    ...((server === mcpSandbox.files || server === mcpSandbox.shelf) && { clientId: server.clientId }),
  })),
}

/** The real service if the environment has a client for it, else its stand-in. */
const service = (client_id: string | undefined, client_secret: string | undefined, standIn: OAuthStandIn) =>
  client_id && client_secret
    ? { client: { client_id, client_secret }, baseUrl: undefined }
    : { client: standIn.client, baseUrl: standIn.url }
const github = service(env.GITHUB_CLIENT_ID, env.GITHUB_CLIENT_SECRET, sandbox.github)
const gmail = service(env.GOOGLE_CLIENT_ID, env.GOOGLE_CLIENT_SECRET, sandbox.google)
const baseUrls = {
  github: github.baseUrl,
  gmail: gmail.baseUrl,
  kaggle: env.KAGGLE === 'real' ? undefined : sandbox.kaggle.url,
}

/** An MCP server that runs as a child process. Each call replaces the reference with the person's token. */
const mcpConfig = mcpServers({
  projects: {
    command: process.execPath,
    args: [PROJECTS_MCP],
    env: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to an account.
      GITHUB_TOKEN: '${GITHUB_TOKEN}',
      GITHUB_API_URL: createProviders(baseUrls).github.apiBaseUrl,
    },
  },
})

const agent = chooseModel(env)

/** CUSTODY=vault keeps accounts on the server. Without a chosen store they are in memory, under a random key. */
const chooseVault = () => {
  if (env.CUSTODY !== 'vault') return undefined
  if (env.TOKEN_STORE_TYPE && (env.TOKEN_STORE_TYPE !== 'memory' || env.TOKEN_ENCRYPTION_KEY)) return vaultFromEnv(env)
  return createVault({ keys: localKeys(randomBytes(32).toString('base64')) })
}
const vault = await chooseVault()
const clients = { github: github.client, gmail: gmail.client }
// Accounts in a database outlive this process, so sessions must too.
const sessionSecret = vault && env.TOKEN_ENCRYPTION_KEY
const colleague = createColleague()
const app = createApp({
  origins,
  baseUrls,
  clients,
  agent,
  metrics: sandbox.metrics,
  colleague,
  vault,
  sessionSecret,
  mcp,
  mcpConfig,
})
const api = getRequestListener(app.fetch)

const server = createServer((request, response) => {
  if (request.url?.startsWith('/api/')) api(request, response)
  else page(request, response)
})
/** DEMO_PAGE is a folder with the page as `vite build` made it; without it, the sources are served as they are edited. */
const vite = env.DEMO_PAGE ? undefined : await startVite()
const page =
  vite?.middlewares ?? getRequestListener(new Hono().use(serveStatic({ root: env.DEMO_PAGE as string })).fetch)

function startVite() {
  return createVite({
    root,
    configFile: false,
    appType: 'spa',
    logLevel: 'warn',
    plugins: [react()],
    server: { middlewareMode: true, ws: { server } },
    optimizeDeps: {
      // Listed, because Vite reloads the page when it finds a dependency at its first use.
      include: [
        'react',
        'react-dom',
        'react-dom/client',
        'react/jsx-runtime',
        'react/jsx-dev-runtime',
        'ai',
        '@ai-sdk/react',
        '@tanstack/react-query',
        '@latchkey/core > oauth4webapi',
        '@latchkey/core > zustand/vanilla',
        '@latchkey/react > @radix-ui/react-dialog',
        '@latchkey/react > @radix-ui/react-slot',
      ],
    },
  })
}

server.listen(port, '127.0.0.1', () => {
  const place = (url: string | undefined) => (url ? `stand-in at ${url}` : 'the real service')
  console.log(`
Latchkey demo: http://localhost:${port}

  GitHub  ${place(baseUrls.github)}
  Gmail   ${place(baseUrls.gmail)}
  Kaggle  ${place(baseUrls.kaggle)}${baseUrls.kaggle ? `, API keys at ${baseUrls.kaggle}/settings/account` : ''}
  Metrics stand-in at ${sandbox.metrics.url}, read with a service account
  MCP     ${mcp.origins.length} stand-in servers, to add with one click
  Model   ${agent.name}
  Tokens  ${vault ? `on the server: ${vault.storeType}, encrypted` : 'in the browser, encrypted'}
`)
  // To the test that started this, if one did.
  process.send?.({
    app: `http://localhost:${port}`,
    github: sandbox.github.url,
    google: sandbox.google.url,
    kaggle: sandbox.kaggle.url,
    mcp: Object.fromEntries(mcpStandIns.map(({ id, url }) => [id, url])),
  })
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    server.close()
    server.closeAllConnections()
    await Promise.all([vite?.close(), sandbox.close(), mcpSandbox.close(), vault?.close(), colleague.close()])
  })
}
