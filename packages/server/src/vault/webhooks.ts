import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import type { AgentRequest } from '@latchkey/core/agents'
import { limited } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'

/** What a webhook tells of an account. */
export interface AccountEvent {
  type: 'account.connected' | 'account.needs-reconnect' | 'account.disconnected'
  /** ISO 8601, UTC. */
  timestamp: string
  data: Owner & { provider: string; accountId: string; label?: string; reason?: string }
}

/**
 * What a webhook tells when an agent asks a person: enough to send them a message with a link, and nothing of what the
 * agent wants to do. The request opens for its person alone.
 */
export interface RequestEvent {
  type: 'request.created'
  /** ISO 8601, UTC. */
  timestamp: string
  data: Owner & {
    /** Id of the request. */
    request: string
    /** A call waits for their yes or no. */
    kind: 'approval'
    /** Agent id. */
    agent: string
    provider: string
    /** Until when it can be answered, in milliseconds since the epoch. */
    expiresAt: number
  }
}

/**
 * What a webhook tells ahead of the end of an account that cannot be renewed, once: until then its person can connect it again,
 * and nothing that runs without them fails.
 */
export interface ExpiryEvent {
  type: 'account.expiring'
  /** ISO 8601, UTC. */
  timestamp: string
  data: Owner & {
    /** Of this account and this end. A delivery that is tried again has the same. */
    id: string
    /** Access to an account ends. */
    kind: 'expiry'
    provider: string
    accountId: string
    /** When, in milliseconds since the epoch. */
    expiresAt: number
  }
}

/** What a webhook tells. */
export type WebhookEvent = AccountEvent | RequestEvent | ExpiryEvent

/** Where webhooks go, and how they are signed. */
export interface WebhookOptions {
  url: string
  /** `whsec_` and at least 24 bytes in base64. Several, with spaces between, while one replaces the other. */
  secret: string
  fetch?: typeof globalThis.fetch
  /** Waits between attempts, in milliseconds. Default: 1 s, 10 s, 60 s. */
  retryAfter?: readonly number[]
  /**
   * Hears that an event was given up, and how many were so far: each attempt failed, or more than 1000 events waited, of
   * which the oldest is dropped.
   */
  onDrop?: (dropped: number) => void
}

/** Events that wait for one receiver, and those that are on their way to it. */
const WAITING = 1000
const AT_ONCE = 4

/** Tells other servers about accounts and requests. Nothing waits for it. */
export interface Webhooks {
  tell(type: AccountEvent['type'], owner: Owner, account: ConnectedAccount): void
  /** An account that cannot be renewed is about to end. */
  expiring(owner: Owner, account: Pick<ConnectedAccount, 'id' | 'provider'>, expiresAt: number): void
  /** A person is asked. */
  asked(owner: Owner, request: AgentRequest): void
  /** Gives up what has not arrived yet. */
  close(): void
}

export function createWebhooks(options: readonly WebhookOptions[]): Webhooks {
  const stop = new AbortController()
  const hooks = options.map((hook) => createQueue({ ...hook, keys: parseSecret(hook.secret) }, stop.signal))
  const send = (event: WebhookEvent) => {
    const body = JSON.stringify(event)
    for (const hook of hooks) hook(body)
  }
  const now = () => new Date().toISOString()
  return {
    tell: (type, { tenant, user }, { id, provider, label, reason }) =>
      send({ type, timestamp: now(), data: { tenant, user, provider, accountId: id, label, reason } }),
    expiring: ({ tenant, user }, { id: accountId, provider }, expiresAt) => {
      const digest = createHash('sha256').update(JSON.stringify([tenant, user, accountId, expiresAt]))
      const id = digest.digest('base64url').slice(0, 22)
      const data = { tenant, user, id, kind: 'expiry' as const, provider, accountId, expiresAt }
      send({ type: 'account.expiring', timestamp: now(), data })
    },
    asked: ({ tenant, user }, { id, agent, provider, expiresAt }) =>
      send({
        type: 'request.created',
        timestamp: now(),
        data: { tenant, user, request: id, kind: 'approval', agent, provider, expiresAt },
      }),
    close: () => stop.abort(),
  }
}

type Hook = WebhookOptions & { keys: Buffer[] }

/** Sends the events of one receiver: few at once, and those that cannot wait any more are dropped and counted. */
function createQueue(hook: Hook, stop: AbortSignal): (body: string) => void {
  const waiting: string[] = []
  let sending = 0
  let dropped = 0
  const drop = () => hook.onDrop?.(++dropped)
  const work = async () => {
    for (let body = waiting.shift(); body !== undefined && !stop.aborted; body = waiting.shift()) {
      if (!(await deliver(hook, body, stop).catch(() => false)) && !stop.aborted) drop()
    }
    sending--
  }
  return (body) => {
    if (waiting.push(body) > WAITING) {
      waiting.shift()
      drop()
    }
    if (sending === AT_ONCE) return
    sending++
    work()
  }
}

/**
 * Sends one event, as Standard Webhooks describes it: `webhook-id`, `webhook-timestamp` and `webhook-signature`, an
 * HMAC-SHA256 over all three parts. It is tried again when it fails. Resolves to whether it arrived.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks
 */
async function deliver(
  { url, keys, fetch, retryAfter = [1e3, 1e4, 6e4] }: Hook,
  body: string,
  stop: AbortSignal,
): Promise<boolean> {
  const id = `msg_${randomUUID()}`
  for (const wait of [...retryAfter, undefined]) {
    // Signed anew: what arrives late is not too old to be believed.
    const timestamp = String(Math.floor(Date.now() / 1000))
    const response = await limited({ fetch, signal: stop })(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': keys.map((key) => sign(key, id, timestamp, body)).join(' '),
      },
      body,
      redirect: 'manual',
    }).catch(() => undefined)
    await response?.body?.cancel().catch(() => {})
    if (response?.ok) return true
    if (wait !== undefined) await setTimeout(wait, undefined, { signal: stop })
  }
  return false
}

/**
 * The receiving end: whether this came from there, unchanged and not long ago.
 *
 * @param headers of the request. @param body as it came, not parsed.
 */
export function verifyWebhook(
  secret: string,
  headers: Headers,
  body: string,
  { toleranceSeconds = 300 } = {},
): boolean {
  const id = headers.get('webhook-id') ?? ''
  const timestamp = headers.get('webhook-timestamp') ?? ''
  const age = Math.abs(Date.now() / 1000 - Number(timestamp))
  if (!/^\d+$/.test(timestamp) || !(age <= toleranceSeconds)) return false
  const expected = parseSecret(secret).map((key) => Buffer.from(sign(key, id, timestamp, body)))
  return (headers.get('webhook-signature') ?? '').split(' ').some((signature) => {
    const given = Buffer.from(signature)
    return expected.some((one) => one.length === given.length && timingSafeEqual(one, given))
  })
}

const sign = (key: Buffer, id: string, timestamp: string, body: string) =>
  `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`

function parseSecret(secret: string): Buffer[] {
  return secret.split(' ').map((one) => {
    const key = Buffer.from(one.replace(/^whsec_/, ''), 'base64')
    if (one.startsWith('whsec_') && key.length >= 24) return key
    throw new LatchkeyError('misuse', 'A webhook secret is "whsec_" and at least 24 random bytes in base64.')
  })
}
