import { randomBytes } from 'node:crypto'
import { type DisconnectReceipt, LatchkeyError } from '@latchkey/core'
import type { RunPlan } from '@latchkey/core/agents'
import { Hono } from 'hono'
import { createTurnChoices, type RunAccount, switchedOn } from '../agent/choice.ts'
import { AgentContext, type CallAccount, type NumberedCall, type RunAccounts } from '../agent/context.ts'
import { takeAccounts } from '../agent/wire.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Owner } from '../stores/store.ts'
import { readAgents } from '../use/agents.ts'
import { type AccountUse, type Call, createDoor } from '../use/door.ts'
import { createOverseer } from '../use/overseer.ts'
import { planScheduled, type ScheduledRun } from '../use/scheduled.ts'
import { createSource } from '../use/source.ts'
import { createAudit } from '../vault/audit.ts'
import { createCustodian } from '../vault/custodian.ts'
import { localKeys } from '../vault/keys.ts'
import { createPersonLog } from '../vault/person-log.ts'
import { insideOf, type Vault } from '../vault/vault.ts'
import { createWebhooks } from '../vault/webhooks.ts'
import { createAnswerOf, noRoute } from './answers.ts'
import { readObject } from './body.ts'
import { answerHeaders, createGuard } from './guard.ts'
import { createFeed } from './live.ts'
import { type BrokerOptions, createSetup } from './options.ts'
import type { Env, VaultOwner } from './request.ts'
import { mediateRoutes } from './routes/mediate.ts'
import { personRoutes } from './routes/person.ts'
import { proxyRoutes } from './routes/proxy.ts'
import { publicRoutes } from './routes/public.ts'
import { vaultRoutes } from './routes/vault.ts'

/** A broker, ready to be mounted: `app.all('/api/latchkey/*', (c) => broker(c.req.raw))`. */
export interface Broker<Session = unknown> {
  (request: Request): Promise<Response>
  /**
   * Answers a request, like the broker itself.
   *
   * @param options.session who asks, where the app knows it already. Without it `authenticate` is asked.
   */
  fetch(request: Request, options?: { session?: Session | null }): Promise<Response>
  /**
   * The context of one agent run, with the accounts that the page chose for it, and the body without them, which can be
   * logged and stored. An account that the browser keeps comes with its token. One that the vault keeps is opened when a
   * tool uses it; what this user or agent may not have is refused then, and the audit log says why.
   *
   * @param who the request of the run, or its session.
   * @param body its parsed body.
   * @throws LatchkeyError `login_required` if the request has no session.
   */
  agentContext<Body>(who: Request | Session, body: Body, options: AccountUse): Promise<AgentRun<Body>>
  /**
   * Starts the background, which refreshes tokens of the vault before they end. Where processes do not stay, as in serverless
   * functions, call `refreshDue` from a schedule instead: tokens are always refreshed when they are used.
   */
  start(): void
  /** Stops the background. */
  close(): void
}

/** A broker with a vault. */
export interface VaultBroker<Session = unknown> extends Broker<Session> {
  /** Removes everything of a user, and revokes it at each provider: for when a user is deleted. */
  deleteUser(owner: VaultOwner): Promise<Record<string, DisconnectReceipt>>
  /**
   * Refreshes what ends within some seconds, as the background does. Webhooks are told of accounts that end soon and cannot be
   * refreshed. Default: 300.
   */
  refreshDue(aheadSeconds?: number): Promise<number>
  /**
   * Whether a run that no person waits for starts, and what is missing. A schedule asks it before each run. It promises nothing:
   * each call is judged when it is made.
   *
   * ```ts
   * const { word, missing } = await broker.readiness({ user: 'ada' }, { agent: 'reporter', duration: 60_000, policy: 'skip' })
   * ```
   *
   * @throws LatchkeyError `misuse` for an agent of which no tools are declared, and for a tool that it does not have.
   */
  readiness(owner: VaultOwner, run: ScheduledRun): Promise<RunPlan>
}

/** One run of an agent. */
export interface AgentRun<Body> {
  context: AgentContext
  /** What the page sent, without accounts. */
  body: Body
}

/** Of a broker that keeps nothing but in memory. */
const FORGETS =
  'without a vault or the option `oversight`, a restart of this server forgets what people said of their agents, also ' +
  '"Off", and asks again about changes that are under way.'

/** Milliseconds from one round of the background to the next. */
const ROUND = 30_000

/**
 * The token-mediating backend: it adds the client secret to token requests and hands the answer to the browser, which
 * keeps the tokens. Routes, below wherever it is mounted:
 *
 * - `GET /providers` and `GET /callback` are public;
 * - `POST /token` redeems a code or refreshes (RFC 6749 §4.1.3, §6; RFC 7636 §4.5);
 * - `POST /revoke` ends a grant (RFC 7009);
 * - `POST /verify` checks an API key at its provider.
 *
 * With a `vault`, tokens and keys never leave it, and the three routes above refuse its providers. Instead:
 *
 * - `POST /flows` starts an authorization, `POST /flows/{state}` finishes it with the authorization response;
 * - `GET /accounts`, `GET /accounts/{id}`, `DELETE /accounts/{id}` show and end accounts of the session's user;
 * - `POST /accounts` takes an API key, once; `POST /accounts/{id}` makes sure that an account can still be used, or with
 *   `{ paused }` stops its use or ends that.
 *
 * What the person sees and says of agents, with and without a vault:
 *
 * - `GET /agents`, `GET /rules`, `GET /requests`, `GET /requests/{id}`, `GET /activity` and `GET /activity/last` show it;
 * - `GET /activity/live` tells what is new as server-sent events, and goes on after a `Last-Event-ID`;
 * - `POST /activity/verify` checks the audit log;
 * - `POST /rules` changes a rule, `POST /requests/{id}` answers a request, `POST /stop` and `POST /resume` stop agents or
 *   accounts and let them go on;
 * - with `confirm`, `POST /requests/{id}/challenge` says how the person proves that they are there.
 *
 * A POST needs JSON, the `latchkey-request` header, an `Origin` out of `allowedOrigins` and a session. Secrets come in
 * by `/token`, `/revoke` and `/verify` only, and leave for that provider's own endpoints only. Errors are
 * `{ error, message }`: a provider's own words are never passed on. Nothing is logged.
 *
 * @throws LatchkeyError `misuse` when the options contradict themselves.
 * @see OAuth 2.0 for Browser-Based Applications §6.2
 */
export function createBroker<Session>(options: BrokerOptions<Session> & { vault: Vault }): VaultBroker<Session>
export function createBroker<Session>(options: BrokerOptions<Session>): Broker<Session>
export function createBroker<Session>(options: BrokerOptions<Session>): Broker<Session> | VaultBroker<Session> {
  const { authenticate, vault, mcp, proxy, refreshAhead = 300, onError } = options
  const setup = createSetup(options)
  const { providers, endpointOf, fetchFor, ownerOf } = setup
  const guard = createGuard(options, setup)

  const app = new Hono<Env>({ getPath: setup.routeOf })
  app.use(answerHeaders(options))
  app.onError(createAnswerOf(onError))
  app.notFound(() => noRoute().getResponse())
  app.options('*', (c) => c.body(null, 204))
  publicRoutes(app, setup)

  const custodian = vault && createCustodian({ vault, providers, endpointOf, fetchFor })
  const agents = readAgents(options.agents)
  const kept =
    options.oversight ??
    (vault ? insideOf(vault) : { store: memoryStore(), keys: localKeys(randomBytes(32).toString('base64')) })
  const hooks = vault ? insideOf(vault).hooks : createWebhooks(options.oversight?.webhooks ?? [])
  const overseer = createOverseer({ ...kept, confirm: options.confirm, onAsked: hooks.asked })
  const audit = vault?.audit ?? createAudit(kept.store)
  const onLost = (error: unknown) => onError?.(error, 'request')
  const door = createDoor({ custodian, audit, providers, agents, overseer, onLost })
  const source = createSource(door)
  const choicesIn = createTurnChoices()
  const log = createPersonLog(kept.store)
  const feed = createFeed(log)
  let round: ReturnType<typeof setInterval> | undefined
  let isTold = false
  // Before the body is read as an object: an API gets it as it is.
  if (proxy && custodian) proxyRoutes(app, setup, { custodian, door, methods: proxy.methods }, guard)
  app.post('*', guard, async (c, next) => {
    c.set('body', await readObject(c.req.raw))
    await next()
  })
  if (mcp) app.post('/mcp', (c) => mcp(c.var.body, { signal: c.req.raw.signal }))
  mediateRoutes(app, setup)
  if (custodian) vaultRoutes(app, setup, custodian, guard)
  personRoutes(app, { agents, overseer, door, audit, log, feed }, guard)

  /** The accounts that this agent may be told to use. Where there is no choice, nobody's rules are read for it. */
  async function offered(owner: Owner, sent: readonly RunAccount[], agent: string): Promise<readonly RunAccount[]> {
    const given = sent.filter(({ provider }) => !providers.has(provider) || agents.allows(agent, provider))
    const isChoice = given.some(({ provider }, at) => given.findIndex((one) => one.provider === provider) < at)
    if (!isChoice) return given
    const rules = await overseer.rules(owner).catch((error) => {
      // The door judges each call.
      onError?.(error, 'request')
      return undefined
    })
    return rules ? switchedOn(given, rules.agents, agents.chainOf(agent)) : given
  }

  const broker: Broker<Session> = Object.assign(async (request: Request) => app.fetch(request), {
    fetch: async (request: Request, handed?: { session?: Session | null }) => app.fetch(request, handed),
    async agentContext<Body>(who: Request | Session, sent: Body, about: AccountUse) {
      const session = who instanceof Request ? await authenticate(who) : who
      if (!session) throw new LatchkeyError('login_required', 'Sign in to the app first.')
      const owner = ownerOf(session)
      const { identities, references, choices, body } = takeAccounts(sent)
      const callOf = (account: CallAccount, { scopes, tool, args, nth, place }: NumberedCall): Call => ({
        ...{ owner, ...account, ...about, scopes, tool, args, nth },
        toolCallId: place?.toolCallId,
      })
      const reportLeak = () =>
        audit
          .record(owner, { action: 'leak', agent: about.agent, outcome: 'denied', reason: 'blocked' })
          // The secret is out of the answer already, which goes on.
          .catch((error) => onError?.(error, 'request'))
      const { agent, chat, run } = about
      const accounts: RunAccounts = {
        ...{ references, reportLeak },
        authorize: (account, call) => source.authorize(callOf(account, call)),
        askAhead: (account, call) => source.askAhead(callOf(account, call)),
        choices: await offered(owner, choices, agent),
        providers: [...providers.values()],
        // Without a turn each request is one of its own.
        ...(run !== undefined && { chosen: choicesIn([owner.tenant, owner.user, agent, chat, run]) }),
      }
      return { context: AgentContext.fromIdentities(identities, { userId: owner.user, accounts }), body }
    },
    start() {
      if (!custodian) {
        if (!options.oversight && !isTold) console.warn(`Latchkey: ${FORGETS}`)
        isTold = true
        return
      }
      if (round) return
      const { refreshDue, tryKeys } = custodian
      tryKeys().catch((error) => {
        if (onError) onError(error, 'keys')
        else console.error(`Latchkey: the keys of the vault do not open what it holds. ${error.message}`)
      })
      round = setInterval(() => {
        refreshDue(refreshAhead).catch((error) => onError?.(error, 'refresh'))
      }, ROUND)
      round.unref?.()
    },
    close() {
      clearInterval(round)
      round = undefined
      door.close()
      feed.close()
      // Those of a vault are closed with it.
      if (!vault) hooks.close()
    },
  })
  if (!custodian) return broker
  const { deleteUser, refreshDue } = custodian
  return Object.assign(broker, {
    deleteUser: ({ user, tenant = 'default' }: VaultOwner) => deleteUser({ user, tenant }),
    refreshDue: (seconds = 300) => refreshDue(seconds),
    readiness: ({ user, tenant = 'default' }: VaultOwner, run: ScheduledRun) =>
      planScheduled({ agents, overseer, custodian }, { user, tenant }, run),
  })
}
