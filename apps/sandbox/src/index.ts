import { fileURLToPath } from 'node:url'
import { type GitHubStandIn, startGitHub } from './github.ts'
import { type GoogleStandIn, startGoogle } from './google.ts'
import { type KaggleStandIn, startKaggle } from './kaggle.ts'
import { type MetricsStandIn, startMetrics } from './metrics.ts'

export { type BetterAuthOptions, type BetterAuthStandIn, startBetterAuth } from './better-auth.ts'
export {
  type CompanyPolicy,
  type CompanyStandIn,
  type EnterpriseSandbox,
  type NotesStandIn,
  startEnterprise,
} from './enterprise.ts'
export type { GitHubStandIn, Issue, NewRepository } from './github.ts'
export type { Draft, GoogleStandIn, NewDraft, NewMessage } from './google.ts'
export { createHeadlessBrowser, type HeadlessBrowser, type Page } from './headless-browser.ts'
export type { KaggleCredentials, KaggleStandIn, NewDataset } from './kaggle.ts'
export { CLIENT_METADATA_URL, type McpSandbox, type McpSandboxOptions, startMcpSandbox } from './mcp.ts'
export type { McpStandIn, McpTool } from './mcp-server.ts'
export type { MetricsStandIn, ServiceClient } from './metrics.ts'
export type { Client, OAuthStandIn, Policy } from './sign-in.ts'
export type { Fault, LogEntry, StandIn } from './stand-in.ts'

/** A program: an MCP server on stdio, which reads GITHUB_TOKEN and GITHUB_API_URL. */
export const PROJECTS_MCP = fileURLToPath(new URL('./projects-mcp.ts', import.meta.url))

export interface SandboxOptions {
  /** Origins of the applications, such as `http://localhost:5173`. */
  appOrigins: string[]
  /** Path of the redirect URI at each origin. @default '/api/latchkey/callback' */
  callbackPath?: string
  /** @default 0, any free port */
  ports?: { github?: number; google?: number; kaggle?: number; metrics?: number }
  /** Lifetime of Google access tokens in seconds. */
  accessTtl?: number
}

export interface Sandbox {
  github: GitHubStandIn
  google: GoogleStandIn
  kaggle: KaggleStandIn
  metrics: MetricsStandIn
  close(): Promise<void>
}

/** Starts stand-ins for GitHub, Google, Kaggle and a metrics service on 127.0.0.1, with everything in memory. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { appOrigins, callbackPath = '/api/latchkey/callback', ports = {}, accessTtl } = options
  const redirectUris = appOrigins.map((origin) => origin + callbackPath)
  const github = await startGitHub({ port: ports.github ?? 0, redirectUris })
  const google = await startGoogle({ port: ports.google ?? 0, redirectUris, accessTtl })
  const kaggle = await startKaggle({ port: ports.kaggle ?? 0 })
  const metrics = await startMetrics({ port: ports.metrics ?? 0 })
  return {
    github,
    google,
    kaggle,
    metrics,
    async close() {
      await Promise.all([github.close(), google.close(), kaggle.close(), metrics.close()])
    },
  }
}
