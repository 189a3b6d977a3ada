import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type KaggleStandIn, type Sandbox, startSandbox } from './index.ts'

let sandbox: Sandbox
let kaggle: KaggleStandIn

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['http://localhost:5173'] })
  kaggle = sandbox.kaggle
})
afterEach(() => kaggle.reset())
afterAll(() => sandbox.close())

const HELLO = 'api.v1.DiagnosticsService/Hello'
const INTROSPECT = 'security.OAuthService/IntrospectToken'
const LIST = 'datasets.DatasetApiService/ListDatasets'

const call = (method: string, authorization?: string, body: object = {}) =>
  fetch(`${kaggle.url}/v1/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
    body: JSON.stringify(body),
  })
const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`
const bearer = (token: string) => `Bearer ${token}`

test('credentials look like the original', () => {
  expect(kaggle.credentials.username).toBe('adalovelace')
  expect(kaggle.credentials.key).toMatch(/^[0-9a-f]{32}$/)
  expect(kaggle.credentials.token).toMatch(/^KGAT_[0-9a-f]{32}$/)
})

test('takes the key as Basic and the token as Bearer', async () => {
  const { username, key, token } = kaggle.credentials
  for (const authorization of [basic(username, key), bearer(token)]) {
    const response = await call(HELLO, authorization)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ userName: username })
  }
})

test('refuses everything else, such as the token as Basic', async () => {
  const { username, key, token } = kaggle.credentials
  for (const authorization of [
    undefined,
    basic(username, token),
    basic('somebody', key),
    basic(username, 'wrong'),
    bearer(key),
    bearer('KGAT_wrong'),
  ]) {
    const response = await call(HELLO, authorization)
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ code: 401, message: 'Unauthenticated' })
  }
})

test('introspects a token', async () => {
  const { token } = kaggle.credentials
  expect(await (await call(INTROSPECT, undefined, { token })).json()).toEqual({
    active: true,
    username: 'adalovelace',
    userId: expect.any(Number),
    scope: expect.any(String),
    exp: expect.any(Number),
  })
  expect((await call(INTROSPECT, bearer(token), { token })).status).toBe(200)
  expect((await call(INTROSPECT, undefined, { token: 'KGAT_wrong' })).status).toBe(404)
  expect((await call(INTROSPECT, bearer('KGAT_wrong'), { token })).status).toBe(401)
})

test('lists datasets: own ones, and public ones when searching or naming an owner', async () => {
  const refs = async (body: object, authorization = bearer(kaggle.credentials.token)) => {
    const { datasets } = (await (await call(LIST, authorization, body)).json()) as { datasets: Array<{ ref: string }> }
    return datasets.map(({ ref }) => ref)
  }
  expect(await refs({})).toEqual([
    'adalovelace/bernoulli-numbers',
    'adalovelace/punch-card-patterns',
    'adalovelace/engine-trial-runs',
  ])
  expect(await refs({ search: 'tide' })).toEqual(['oceanlab/tide-gauges-of-the-north-sea'])
  expect(await refs({ user: 'oceanlab' })).toHaveLength(2)
  expect(await refs({ page: 2 })).toEqual([])

  const other = kaggle.addCredentials('somebody')
  expect(await refs({ search: 'engine' }, bearer(other.token))).toEqual([])
  kaggle.addDataset({ owner: 'somebody', title: 'New Things' })
  expect(await refs({}, bearer(other.token))).toEqual(['somebody/new-things'])
  expect((await call(LIST)).status).toBe(401)
})

test('names dataset fields as the original does', async () => {
  const { datasets } = await (await call(LIST, bearer(kaggle.credentials.token))).json()
  expect(datasets[2]).toMatchObject({
    id: expect.any(Number),
    title: 'Engine Trial Runs',
    subtitle: expect.any(String),
    totalBytes: 36_500_000,
    lastUpdated: expect.any(String),
    isPrivate: true,
  })
})

test('has no CORS', async () => {
  const headers = { origin: 'http://localhost:5173', 'access-control-request-method': 'POST' }
  for (const method of ['OPTIONS', 'POST']) {
    const response = await fetch(`${kaggle.url}/v1/${HELLO}`, { method, headers })
    expect(response.status).toBe(method === 'OPTIONS' ? 404 : 401)
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-'))).toEqual([])
  }
})

test('revoked credentials stop working and come back with a reset', async () => {
  const { username, key, token } = kaggle.credentials
  expect(await kaggle.revoke(token)).toBe(true)
  expect(await kaggle.revoke(token)).toBe(false)
  expect((await call(HELLO, bearer(token))).status).toBe(401)
  expect((await call(HELLO, basic(username, key))).status).toBe(200)
  await kaggle.reset()
  expect((await call(HELLO, bearer(token))).status).toBe(200)
})

test('the settings page makes a token, and shows it once', async () => {
  const url = `${kaggle.url}/settings/account`
  const before = await (await fetch(url)).text()
  expect(before).toContain('Create New Token')
  expect(before).not.toContain('KGAT_')
  const made = await fetch(url, { method: 'POST' })
  expect(made.headers.get('cache-control')).toBe('no-store')
  const token = /KGAT_[0-9a-f]{32}/.exec(await made.text())?.[0] ?? ''
  expect(await (await call(HELLO, bearer(token))).json()).toEqual({ userName: 'adalovelace' })
  expect(await (await fetch(url)).text()).not.toContain('KGAT_')
})
