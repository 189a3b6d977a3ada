// @vitest-environment jsdom
// The table runs through the pure rules and through the browser client here, and through the vault in @latchkey/server.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accountCases, answering, expected, ISSUER, provider, told } from '../../fixtures/account-cases.ts'
import { freshPage, openPopups, visitCallback } from '../../fixtures/page.ts'
import { authorizationRequest, authorizationResponse } from '../connect/authorization.ts'
import { type ConnectedAccount, createLatchkey } from '../index.ts'
import { authorizationServer } from '../protocol/token-endpoint.ts'
import {
  type AccountSecret,
  connectedAgain,
  endOf,
  granted,
  identify,
  renewedAccount,
  renewedSecret,
  withOldRefreshToken,
  wordAt,
} from './account-rules.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1.8e12 })
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await freshPage()
})

describe('the rules', () => {
  it.each(accountCases)('$title', async (one) => {
    const endpoint = authorizationServer(provider, { client_id: 'app', fetch: answering(one) })
    const kept = new Map<string, { account: ConnectedAccount; secret: AccountSecret }>()
    for (const _ of one.connects) {
      const asked = {
        redirect_uri: 'https://app.example',
        client_id: 'app',
        scopes: provider.scopes,
        mode: 'popup',
      } as const
      const { flow } = await authorizationRequest(provider, asked)
      const answered = new URLSearchParams({ code: 'code', state: flow.state, iss: ISSUER })
      const response = await authorizationResponse(provider, flow, answered)
      const answer = await endpoint.redeem({ ...flow, response })
      const secret = { token: answer.token, expiresAt: endOf(answer) }
      const accounts = [...kept.values()].map(({ account }) => account)
      const { account: found, nameless } = await identify(provider, secret, accounts, {
        profile: answer.profile,
        asked: provider.scopes,
        granted: granted(provider, answer, provider.scopes),
      })
      const old = kept.get(found.id)
      const complete = withOldRefreshToken(secret, old?.secret)
      if (nameless) kept.delete(nameless.id)
      kept.set(found.id, { account: connectedAgain(found, complete, old?.account), secret: complete })
    }
    let [{ account, secret } = { account: {} as ConnectedAccount, secret: {} as AccountSecret }] = [...kept.values()]
    if (one.refresh && secret.token) {
      const answer = await endpoint.refresh(secret.token)
      secret = renewedSecret(secret.token, answer)
      account = renewedAccount(provider, account, answer, secret)
    }
    expect(kept.size).toBe(1)
    expect(told(one, account)).toEqual(expected(one))
    for (const [seconds, status, reason] of one.words ?? []) {
      expect(wordAt(account, Date.now() + seconds * 1000)).toMatchObject({ status, ...(reason && { reason }) })
    }
  })
})

describe('the browser client', () => {
  it.each(accountCases)('$title', async (one) => {
    vi.stubGlobal('fetch', answering(one))
    const client = createLatchkey({ providers: [provider], redirectUri: '/callback' })
    for (const _ of one.connects) {
      const popups = openPopups()
      const outcome = client.connect('acme')
      const state = new URL(await popups[0]!.at()).searchParams.get('state') ?? ''
      visitCallback(`?${new URLSearchParams({ code: 'code', state, iss: ISSUER })}`)
      await outcome
    }
    const accounts = () => Object.values(client.getSnapshot().accounts)
    if (one.refresh) await client.getToken('acme', { minValidity: 1e6 })
    expect(accounts()).toHaveLength(1)
    expect(told(one, accounts()[0]!)).toEqual(expected(one))
    const now = Date.now()
    for (const [seconds, status, reason] of one.words ?? []) {
      vi.setSystemTime(now + seconds * 1000)
      const reloaded = createLatchkey({ providers: [provider], redirectUri: '/callback' })
      expect(Object.values(reloaded.getSnapshot().accounts)).toMatchObject([{ status, ...(reason && { reason }) }])
    }
  })
})
