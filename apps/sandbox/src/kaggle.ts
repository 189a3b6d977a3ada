import { randomBytes } from 'node:crypto'
import { HTTPException } from 'hono/http-exception'
import { keyPage } from './pages.ts'
import {
  type AppContext,
  createStandIn,
  openServer,
  readBasic,
  readObject,
  requireText,
  type StandIn,
} from './stand-in.ts'

export interface KaggleCredentials {
  username: string
  /** Legacy key, for HTTP Basic. */
  key: string
  /** API token, for Bearer. */
  token: string
}

export interface NewDataset {
  owner: string
  title: string
}

export interface KaggleStandIn extends StandIn {
  /** Credentials of the user `adalovelace`, who is there from the start. */
  readonly credentials: KaggleCredentials
  /** Adds a key and a token for a user, and the user if there is none of this name. */
  addCredentials(username: string): KaggleCredentials
  addDataset(dataset: NewDataset): void
}

interface Dataset {
  id: number
  owner: string
  slug: string
  title: string
  subtitle: string
  totalBytes: number
  lastUpdated: string
  isPrivate: boolean
}

type Seed = [owner: string, title: string, subtitle: string, megabytes: number, visibility?: 'private']
const SEEDS: Seed[] = [
  ['adalovelace', 'Bernoulli Numbers', 'The first ten thousand, exact', 4.2],
  ['adalovelace', 'Punch Card Patterns', 'Scanned loom cards with their weaves', 812],
  ['adalovelace', 'Engine Trial Runs', 'Timings of every trial, not yet cleaned', 36.5, 'private'],
  ['oceanlab', 'Tide Gauges of the North Sea', 'Water levels at 40 stations since 1950', 1480],
  ['oceanlab', 'Bird Counts by Harbour', 'Monthly counts by volunteers', 12.1],
  ['citydata', 'Bicycle Traffic in Small Towns', 'Hourly counts from 118 counters', 240],
]

const BRAND = { id: 'kaggle', name: 'Kaggle stand-in', hue: 235 }
const PAGE = 20
const TOKEN_LIFE = 365 * 86_400

export async function startKaggle(options: { port: number }): Promise<KaggleStandIn> {
  const server = await openServer(options.port)
  const { app } = server

  const userIds = new Map<string, number>()
  /** Valid secrets, with their user names. */
  const keys = new Map<string, string>()
  const tokens = new Map<string, { username: string; exp: number }>()
  const datasets: Dataset[] = []

  function addCredentials(username: string): KaggleCredentials {
    if (!userIds.has(username)) userIds.set(username, 1_815_000 + userIds.size)
    const key = randomBytes(16).toString('hex')
    const token = `KGAT_${randomBytes(16).toString('hex')}`
    keys.set(key, username)
    tokens.set(token, { username, exp: Math.floor(Date.now() / 1000) + TOKEN_LIFE })
    return { username, key, token }
  }

  function add(
    owner: string,
    title: string,
    subtitle: string,
    megabytes: number,
    isPrivate: boolean,
    daysOld = 0,
  ): void {
    datasets.push({
      id: 4_000_000 + datasets.length,
      owner,
      slug: title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
      title,
      subtitle,
      totalBytes: Math.round(megabytes * 1e6),
      lastUpdated: new Date(Date.now() - daysOld * 86_400_000).toISOString(),
      isPrivate,
    })
  }
  SEEDS.forEach(([owner, title, subtitle, megabytes, visibility], index) => {
    add(owner, title, subtitle, megabytes, visibility === 'private', index * 4 + 2)
  })
  const addDataset = ({ owner, title }: NewDataset) => add(owner, title, '', 1, false)

  function findCaller(header: string | undefined): string | undefined {
    const bearer = /^bearer +(\S+)$/i.exec(header ?? '')?.[1]
    if (bearer) return tokens.get(bearer)?.username
    const basic = readBasic(header)
    // A KGAT_ token is not a legacy key. Sent as Basic, a common mistake, it is refused.
    return basic && keys.get(basic.password) === basic.user ? basic.user : undefined
  }

  function authorize(c: AppContext): string {
    const caller = findCaller(c.req.header('authorization'))
    if (!caller) throw refusal(c, 401, 'Unauthenticated')
    return caller
  }

  app.post('/v1/security.OAuthService/IntrospectToken', async (c) => {
    // The token in the body is enough. Credentials in the header, if there are any, must be valid too.
    if (c.req.header('authorization') !== undefined) authorize(c)
    const { token } = await readObject(c)
    const found = tokens.get(String(token))
    if (!found) throw refusal(c, 404, 'Not found')
    const { username, exp } = found
    return c.json({ active: true, username, userId: userIds.get(username), scope: 'resources.admin:*', exp })
  })

  app.post('/v1/api.v1.DiagnosticsService/Hello', (c) => c.json({ userName: authorize(c) }))

  app.post('/v1/datasets.DatasetApiService/ListDatasets', async (c) => {
    const caller = authorize(c)
    const { user, search, page } = await readObject(c)
    const words = String(search ?? '')
      .toLowerCase()
      .split(/\s+/)
      .filter(Boolean)
    const start = (Math.max(Number(page) || 1, 1) - 1) * PAGE
    const found = datasets
      .filter(({ owner, isPrivate }) => owner === caller || !isPrivate)
      .filter(({ owner }) => (user ? owner === user : owner === caller || words.length > 0))
      .filter(({ title, subtitle, slug }) => {
        const text = `${title} ${subtitle} ${slug}`.toLowerCase()
        return words.every((word) => text.includes(word))
      })
    return c.json({
      datasets: found
        .slice(start, start + PAGE)
        .map(({ owner, slug, ...dataset }) => ({ ...dataset, ref: `${owner}/${slug}`, ownerName: owner })),
    })
  })

  app.get('/settings/account', async (c) => c.html(await keyPage(BRAND, 'adalovelace')))
  app.post('/settings/account', async (c) => {
    c.header('cache-control', 'no-store')
    return c.html(await keyPage(BRAND, 'adalovelace', addCredentials('adalovelace').token))
  })

  app.post('/__sandbox/datasets', async (c) => {
    const body = await readObject(c)
    addDataset({ owner: requireText(body, 'owner'), title: requireText(body, 'title') })
    return c.json({}, 201)
  })
  app.post('/__sandbox/credentials', async (c) => {
    const body = await readObject(c)
    return c.json(addCredentials(requireText(body, 'username')), 201)
  })

  const credentials = addCredentials('adalovelace')
  const standIn = createStandIn(server, {
    isLive: async (value) => keys.has(value) || tokens.has(value),
    revoke: async (value) => keys.delete(value) || tokens.delete(value),
    reset() {
      // The credentials of `adalovelace` are seed data, so a reset makes revoked ones valid again.
      keys.clear()
      tokens.clear()
      keys.set(credentials.key, credentials.username)
      tokens.set(credentials.token, {
        username: credentials.username,
        exp: Math.floor(Date.now() / 1000) + TOKEN_LIFE,
      })
    },
  })
  return { ...standIn, credentials, addCredentials, addDataset }
}

const refusal = (c: AppContext, code: 401 | 404, message: string) =>
  new HTTPException(code, { res: c.json({ code, message }, code) })
