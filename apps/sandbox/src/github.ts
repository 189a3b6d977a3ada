import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import type { ScopeLine } from './pages.ts'
import { createSignIn, type OAuthStandIn, splitScope, type User } from './sign-in.ts'
import {
  type AppContext,
  createStandIn,
  openServer,
  optionalText,
  readBasic,
  readObject,
  requireText,
} from './stand-in.ts'

export interface NewRepository {
  /** Login of an existing user. */
  owner: string
  name: string
  private?: boolean
  description?: string
}

/** An issue that was opened. */
export interface Issue {
  /** `octocat/hello-world` */
  repository: string
  number: number
  title: string
  body: string | null
  /** Login of the user who opened it. */
  user: string
}

export interface GitHubStandIn extends OAuthStandIn {
  /** Issues in the order in which they were opened. `reset` keeps them. */
  readonly issues: readonly Issue[]
  addRepository(repository: NewRepository): void
}

interface GitHubUser {
  id: number
  login: string
  name: string
  email: string | null
}

interface Repository {
  id: number
  name: string
  private: boolean
  description: string | null
  language: string | null
  stars: number
  updatedAt: string
}

const USERS: GitHubUser[] = [
  { id: 583231, login: 'octocat', name: 'The Octocat', email: 'octocat@example.com' },
  { id: 1024025, login: 'mona', name: 'Mona Lisa', email: 'mona@example.com' },
  { id: 480938, login: 'hubot', name: 'Hubot', email: null },
]

type Seed = [name: string, description: string, language: string, stars: number, visibility?: 'private']
const SEEDS: Record<string, Seed[]> = {
  octocat: [
    ['hello-world', 'My first repository', 'Markdown', 2714],
    ['tide-tables', 'Tide predictions for any harbour, as a small web app', 'TypeScript', 318],
    ['coral-charts', 'Charts that stay readable under water', 'Svelte', 96],
    ['harbour-notes', 'Private notes on the autumn release', 'Markdown', 0, 'private'],
  ],
  mona: [
    ['sfumato', 'Soft gradients for CSS, without banding', 'CSS', 1203],
    ['gallery-api', 'REST API of a small museum', 'Go', 57],
    ['invoice-runner', 'Sends the invoices on the first of the month', 'Python', 0, 'private'],
  ],
  hubot: [
    ['scripts', 'Chat commands for the team', 'JavaScript', 431],
    ['deploy-keys', 'Rotation of the deploy keys', 'Shell', 0, 'private'],
  ],
}

/** Scopes that include others. */
const PARTS: Record<string, string[]> = {
  user: ['read:user', 'user:email'],
  repo: ['public_repo'],
}

const SCOPES: Record<string, ScopeLine> = {
  'read:user': { words: 'See your profile' },
  'user:email': { words: 'See your email addresses' },
  user: { words: 'See and change your profile' },
  public_repo: { words: 'Read and change your public repositories' },
  repo: { words: 'Read and change all your repositories, private ones too' },
  'read:org': { words: 'See which organizations you are in' },
  gist: { words: 'Create and change gists' },
  notifications: { words: 'Read and mark your notifications' },
  workflow: { words: 'Change GitHub Actions workflows' },
}

/** GitHub allows a request without a scope; oidc-provider needs one. It is never shown. */
const NO_SCOPE = 'public'

const MOUNT = '/login/oauth'
const CLIENT = { client_id: 'sandbox-github', client_secret: 'sandbox-github-secret' }

const ERRORS: Record<string, [error: string, description: string]> = {
  invalid_grant: ['bad_verification_code', 'The code passed is incorrect or expired.'],
  invalid_client: ['incorrect_client_credentials', 'The client_id and/or client_secret passed are incorrect.'],
}

export async function startGitHub(options: { port: number; redirectUris: string[] }): Promise<GitHubStandIn> {
  const server = await openServer(options.port)
  const { app, url } = server

  const users: User[] = USERS.map(({ login, name }) => ({
    id: login,
    name,
    handle: `@${login}`,
    picture: `/avatars/${login}.svg`,
    claims: {},
  }))

  const oauth = createSignIn({
    app,
    issuer: url + MOUNT,
    mount: MOUNT,
    brand: { id: 'github', name: 'GitHub stand-in', hue: 290 },
    client: CLIENT,
    redirectUris: options.redirectUris,
    users,
    scopes: SCOPES,
    impliedScope: NO_SCOPE,
    keepsGrantedScopes: () => true,
    tokenPrefixes: { code: '', access: 'gho_', refresh: 'ghr_' },
    configuration: { routes: { authorization: '/authorize', token: '/access_token' } },
  })

  const visibleScopes = (scope: unknown) => splitScope(scope).filter((one) => one !== NO_SCOPE)

  app.get(`${MOUNT}/authorize`, (c) => {
    const query = new URL(c.req.url).searchParams
    query.set('response_type', 'code')
    query.set('scope', [NO_SCOPE, ...splitScope(query.get('scope'))].join(' '))
    if (query.get('prompt') === 'select_account') query.set('prompt', 'login')
    return oauth.ask(c, { query })
  })
  app.get(`${MOUNT}/authorize/:uid`, (c) => oauth.ask(c))

  app.post(`${MOUNT}/access_token`, async (c) => {
    const form = new URLSearchParams(await c.req.text())
    form.set('grant_type', 'authorization_code')
    const code = await oauth.provider.AuthorizationCode.find(form.get('code') ?? '')
    if (!form.has('redirect_uri') && code?.redirectUri) form.set('redirect_uri', code.redirectUri)
    const answer = await oauth.ask(c, { form })
    const body = (await answer.json()) as Record<string, string>
    const fields: Record<string, string> = {}
    if (body.access_token) {
      fields.access_token = body.access_token
      fields.scope = visibleScopes(body.scope).join(',')
      fields.token_type = 'bearer'
    } else {
      const [error, description] = ERRORS[body.error ?? ''] ?? [
        body.error ?? 'server_error',
        body.error_description ?? '',
      ]
      Object.assign(fields, { error, error_description: description, error_uri: `${url}/docs/oauth-errors` })
    }
    // As at GitHub: status 200 even for errors, and no CORS headers, so a page cannot read the answer.
    if (c.req.header('accept')?.includes('json')) return c.json(fields)
    return c.body(new URLSearchParams(fields).toString(), 200, {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    })
  })

  const repositories = new Map<string, Repository[]>(USERS.map(({ login }) => [login, []]))
  let nextRepository = 1_296_269
  function add(owner: string, repository: Omit<Repository, 'id' | 'updatedAt'>, daysOld = 0): void {
    const list = repositories.get(owner)
    if (!list) throw new HTTPException(400, { message: `There is no user "${owner}"` })
    const id = nextRepository++
    const updatedAt = new Date(Date.now() - daysOld * 86_400_000).toISOString()
    list.push({ id, updatedAt, ...repository })
  }
  for (const [owner, seeds] of Object.entries(SEEDS)) {
    seeds.forEach(([name, description, language, stars, visibility], index) => {
      add(owner, { name, description, language, stars, private: visibility === 'private' }, index * 3 + 1)
    })
  }

  app.use(
    '/api/v3/*',
    cors({ origin: '*', exposeHeaders: ['ETag', 'Link', 'X-OAuth-Scopes', 'X-Accepted-OAuth-Scopes'] }),
  )

  /** The user and scopes of the request's token. It needs one of the `accepted` scopes; if the list is empty, none. */
  async function authorize(c: AppContext, accepted: string[]): Promise<{ user: GitHubUser; scopes: string[] }> {
    const value = /^(?:bearer|token) +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const token = await oauth.provider.AccessToken.find(value ?? '')
    const user = USERS.find(({ login }) => login === token?.accountId)
    if (!token || !user) throw refusal(c, 401, 'Bad credentials')
    const granted = visibleScopes(token.scope)
    c.header('x-oauth-scopes', granted.join(', '))
    c.header('x-accepted-oauth-scopes', accepted.join(', '))
    const scopes = granted.flatMap((scope) => [scope, ...(PARTS[scope] ?? [])])
    if (accepted.length > 0 && !accepted.some((scope) => scopes.includes(scope))) {
      throw refusal(c, 403, 'Resource not accessible')
    }
    return { user, scopes }
  }

  const avatarUrl = (login: string) => `${url}/avatars/${login}.svg`

  app.get('/api/v3/user', async (c) => {
    const { user } = await authorize(c, ['read:user', 'user'])
    const { id, login, name, email } = user
    return c.json({
      id,
      login,
      name,
      email,
      type: 'User',
      avatar_url: avatarUrl(login),
      html_url: `${url}/${login}`,
      url: `${url}/api/v3/users/${login}`,
    })
  })

  app.get('/api/v3/user/emails', async (c) => {
    const { user } = await authorize(c, ['user:email', 'user'])
    // A user can hide the address in the profile. This list still contains it.
    const email = user.email ?? `${user.login}@users.noreply.example.com`
    return c.json([{ email, primary: true, verified: true, visibility: user.email ? 'public' : 'private' }])
  })

  app.get('/api/v3/user/repos', async (c) => {
    const { user, scopes } = await authorize(c, [])
    const visibility = c.req.query('visibility') ?? 'all'
    const perPage = Math.min(Number(c.req.query('per_page')) || 30, 100)
    const found = repositories
      .get(user.login)!
      .filter((one) => !one.private || scopes.includes('repo'))
      .filter((one) => visibility === 'all' || (visibility === 'private') === one.private)
      .sort((a, b) => a.name.localeCompare(b.name))
      .slice(0, perPage)
    return c.json(
      found.map(({ id, name, description, language, stars, updatedAt, ...repository }) => ({
        id,
        name,
        full_name: `${user.login}/${name}`,
        private: repository.private,
        visibility: repository.private ? 'private' : 'public',
        owner: { login: user.login, id: user.id, avatar_url: avatarUrl(user.login) },
        html_url: `${url}/${user.login}/${name}`,
        description,
        language,
        stargazers_count: stars,
        default_branch: 'main',
        updated_at: updatedAt,
      })),
    )
  })

  const issues: Issue[] = []
  app.post('/api/v3/repos/:owner/:name/issues', async (c) => {
    const { user, scopes } = await authorize(c, ['public_repo', 'repo'])
    const { owner, name } = c.req.param()
    const found = repositories.get(owner)?.find((one) => one.name === name)
    // Whoever may not see a repository is not told that there is one.
    const isHidden = found?.private && (owner !== user.login || !scopes.includes('repo'))
    if (!found || isHidden) throw refusal(c, 404, 'Not Found')
    const { title, body } = await readObject(c)
    if (typeof title !== 'string' || title === '') throw refusal(c, 422, 'Validation Failed')
    const repository = `${owner}/${name}`
    const number = issues.filter((issue) => issue.repository === repository).length + 1
    const issue = { repository, number, title, body: typeof body === 'string' ? body : null, user: user.login }
    issues.push(issue)
    const path = `${repository}/issues/${number}`
    c.header('location', `${url}/api/v3/repos/${path}`)
    return c.json(
      {
        id: issues.length,
        number,
        title,
        body: issue.body,
        state: 'open',
        user: { login: user.login, id: user.id, avatar_url: avatarUrl(user.login) },
        url: `${url}/api/v3/repos/${path}`,
        html_url: `${url}/${path}`,
        created_at: new Date().toISOString(),
      },
      201,
    )
  })
  app.get('/__sandbox/issues', (c) => c.json(issues))

  app.delete('/api/v3/applications/:clientId/token', async (c) => {
    const basic = readBasic(c.req.header('authorization'))
    const isClient =
      c.req.param('clientId') === CLIENT.client_id &&
      basic?.user === CLIENT.client_id &&
      basic.password === CLIENT.client_secret
    if (!isClient) throw refusal(c, 401, 'Requires authentication')
    const { access_token } = await readObject(c)
    const token = await oauth.provider.AccessToken.find(typeof access_token === 'string' ? access_token : '')
    if (!token) throw refusal(c, 404, 'Not Found')
    await token.destroy()
    return c.body(null, 204)
  })

  function addRepository({ owner, name, private: isPrivate = false, description }: NewRepository): void {
    add(owner, { name, private: isPrivate, description: description ?? null, language: null, stars: 0 })
  }

  app.post('/__sandbox/repositories', async (c) => {
    const body = await readObject(c)
    addRepository({
      owner: requireText(body, 'owner'),
      name: requireText(body, 'name'),
      private: body.private === true,
      description: optionalText(body, 'description'),
    })
    return c.json({}, 201)
  })

  const standIn = createStandIn(server, oauth)
  return { ...standIn, client: CLIENT, setPolicy: oauth.setPolicy, issues, addRepository }
}

const refusal = (c: AppContext, status: 401 | 403 | 404 | 422, message: string) =>
  new HTTPException(status, { res: c.json({ message, documentation_url: 'https://docs.example.com/rest' }, status) })
