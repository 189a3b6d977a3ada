// The table of account facts that the pure rules and the browser client pass, run through the broker's vault.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accountCases, answering, expected, ISSUER, provider, told } from '../../../core/fixtures/account-cases.ts'
import { createBroker } from '../index.ts'
import { createVault, localKeys } from './index.ts'

const APP = 'https://app.example'
const MOUNT = `${APP}/api/latchkey`
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1.8e12 })
})
afterEach(() => vi.useRealTimers())

describe('the vault', () => {
  it.each(accountCases)('$title', async (one) => {
    const vault = createVault({ keys: localKeys(KEY) })
    const broker = createBroker({
      providers: [provider],
      clients: { acme: { client_id: 'app', client_secret: 'secret' } },
      authenticate: () => ({ user: 'ada', session: 'phone' }),
      owner: (session) => session,
      allowedOrigins: [APP],
      vault,
      fetch: answering(one),
    })
    const call = async (method: string, route: string, body?: object) => {
      const headers = { origin: APP, 'latchkey-request': '1', ...(body && { 'content-type': 'application/json' }) }
      const request = new Request(`${MOUNT}/${route}`, { method, headers, body: body && JSON.stringify(body) })
      return (await broker(request)).json()
    }
    for (const _ of one.connects) {
      const { state } = await call('POST', 'flows', { provider: 'acme', redirect_uri: `${MOUNT}/callback` })
      const response = `?${new URLSearchParams({ code: 'code', state, iss: ISSUER })}`
      expect(await call('POST', `flows/${state}`, { response })).toHaveProperty('account')
    }
    const accounts = async () => (await call('GET', 'accounts')).accounts
    if (one.refresh) await call('POST', `accounts/${(await accounts())[0].id}`, {})
    expect(await accounts()).toHaveLength(1)
    expect(told(one, (await accounts())[0])).toEqual(expected(one))
    const now = Date.now()
    for (const [seconds, status, reason] of one.words ?? []) {
      vi.setSystemTime(now + seconds * 1000)
      expect(await accounts()).toMatchObject([{ status, ...(reason && { reason }) }])
    }
  })
})
