import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import type { Owner } from '../stores/store.ts'

/** What a webhook tells. */
export interface WebhookEvent {
  type: 'account.connected' | 'account.needs-reconnect' | 'account.disconnected'
  /** ISO 8601, UTC. */
  timestamp: string
  data: Owner & { provider: string; accountId: string; label?: string; reason?: string }
}

/** Where webhooks go, and how they are signed. */
export interface WebhookOptions {
  url: string
  /** `whsec_` and at least 24 bytes in base64. Several, with spaces between, while one replaces the other. */
  secret: string
  fetch?: typeof globalThis.fetch
  /** Waits between attempts, in milliseconds. Default: 1 s, 10 s, 60 s. */
  retryAfter?: readonly number[]
}

/** Tells other servers about accounts. Nothing waits for it. */
export interface Webhooks {
  tell(type: WebhookEvent['type'], owner: Owner, account: ConnectedAccount): void
  /** Gives up what has not arrived yet. */
  close(): void
}

export function createWebhooks(options: readonly WebhookOptions[]): Webhooks {
  const stop = new AbortController()
  const hooks = options.map((hook) => ({ ...hook, keys: parseSecret(hook.secret) }))
  return {
    tell(type, { tenant, user }, { id, provider, label, reason }) {
      const data = { tenant, user, provider, accountId: id, label, reason }
      const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data } satisfies WebhookEvent)
      for (const hook of hooks) deliver(hook, body, stop.signal).catch(() => {})
    },
    close: () => stop.abort(),
  }
}

/**
 * Sends one event, as Standard Webhooks describes it: `webhook-id`, `webhook-timestamp` and `webhook-signature`, an
 * HMAC-SHA256 over all three parts. It is tried again when it fails.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks
 */
async function deliver(
  { url, keys, fetch = globalThis.fetch, retryAfter = [1e3, 1e4, 6e4] }: WebhookOptions & { keys: Buffer[] },
  body: string,
  stop: AbortSignal,
): Promise<void> {
  const id = `msg_${randomUUID()}`
  for (const wait of [...retryAfter, undefined]) {
    // Signed anew: what arrives late is not too old to be believed.
    const timestamp = String(Math.floor(Date.now() / 1000))
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': keys.map((key) => sign(key, id, timestamp, body)).join(' '),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(10_000), stop]),
    }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok || wait === undefined) return
    await setTimeout(wait, undefined, { signal: stop })
  }
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
