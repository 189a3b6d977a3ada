import { randomBytes } from 'node:crypto'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import type { ScopeLine } from './pages.ts'
import { createSignIn, type OAuthStandIn, splitScope, type User } from './sign-in.ts'
import { type AppContext, createStandIn, openServer, optionalText, readObject, requireText } from './stand-in.ts'

export interface NewMessage {
  /** Email address of an existing user. */
  user: string
  from: string
  subject: string
  /** @default the first 120 characters of the body */
  snippet?: string
  body?: string
}

export interface NewDraft {
  /** Email address of an existing user. */
  user: string
  to: string
  subject: string
  body?: string
}

/** A draft, and whether it was deleted. */
export interface Draft extends Required<NewDraft> {
  id: string
  isDeleted: boolean
}

export interface GoogleStandIn extends OAuthStandIn {
  /** Drafts of all users, the oldest first. `reset` keeps them. */
  readonly drafts: readonly Readonly<Draft>[]
  /** Adds a draft and returns its id. */
  addDraft(draft: NewDraft): string
  /** Adds a message as the newest one and returns its id. */
  addMessage(message: NewMessage): string
  /** Lifetime of new access tokens in seconds. `reset` restores 3599. */
  setAccessTtl(seconds: number): void
}

interface Message {
  id: string
  threadId: string
  from: string
  subject: string
  date: Date
  snippet: string
  body: string
}

const PEOPLE = [
  { email: 'ada@example.com', name: 'Ada Lovelace', sub: '104815162342108151623' },
  { email: 'grace@example.com', name: 'Grace Hopper', sub: '110190619060112091945' },
]

type Seed = [from: string, subject: string, body: string]
const SEEDS: Record<string, Seed[]> = {
  'ada@example.com': [
    [
      'Analytical Engines Ltd <billing@engines.example>',
      'Invoice 2041 for November',
      'Dear Ada, please find below your invoice 2041 over 1,240.00 EUR for brass gears and punch cards. It is due in 14 days.',
    ],
    [
      'Charles Babbage <charles@example.com>',
      'Notes on the new engine',
      'I have read your notes on the sequence for the Bernoulli numbers. One index is off by one; shall we go through it on Thursday?',
    ],
    [
      'Northern Hosting <accounts@hosting.example>',
      'Your invoice for the server rental',
      'Hello Ada Lovelace, invoice H-8817 over 39.00 EUR is ready. The amount will be taken from your account on the 3rd.',
    ],
    [
      'Royal Society <events@society.example>',
      'Invitation: evening lecture on weaving',
      'We are glad to invite you to an evening lecture on the Jacquard loom and what it teaches about machines.',
    ],
    [
      'Mary Somerville <mary@example.com>',
      'Lunch next week?',
      'I am in London from Monday to Wednesday. Would you like to have lunch and talk about celestial mechanics?',
    ],
    [
      'Paper Mill Shop <shop@papermill.example>',
      'Receipt for your order 5520',
      'Thank you for your order of 2 reams of ruled paper. Total 18.40 EUR, paid by card.',
    ],
  ],
  'grace@example.com': [
    [
      'Moth Removal <office@moths.example>',
      'Invoice 77: relay cleaning',
      'For the removal of one moth from relay 70 we charge 45.00 USD. Payment within 30 days.',
    ],
    [
      'Compiler Team <compilers@example.com>',
      'Build is green again',
      'All 1,204 tests pass since this morning. The wrong jump came from an old nanosecond table.',
    ],
    [
      'Harbor Lights Hotel <stay@harbor.example>',
      'Your booking is confirmed',
      'We look forward to welcoming you on 9 December. Breakfast is included.',
    ],
  ],
}

const DRAFTS: NewDraft[] = [
  {
    user: 'ada@example.com',
    to: 'Mary Somerville <mary@example.com>',
    subject: 'Re: Lunch next week?',
    body: 'Tuesday would suit me. Shall we say one o’clock, at the usual place?',
  },
  {
    user: 'ada@example.com',
    to: 'Charles Babbage <charles@example.com>',
    subject: 'Index of the Bernoulli numbers',
    body: 'You are right about the index. I have corrected the table.',
  },
  {
    user: 'grace@example.com',
    to: 'Compiler Team <compilers@example.com>',
    subject: 'The nanosecond table',
    body: 'Please throw the old table away before anyone else trusts it.',
  },
]

const AUTH = 'https://www.googleapis.com/auth/'
const EMAIL = `${AUTH}userinfo.email`
const PROFILE = `${AUTH}userinfo.profile`
const READ_MAIL = `${AUTH}gmail.readonly`
const MAIL_HEADERS = `${AUTH}gmail.metadata`
const WRITE_DRAFTS = `${AUTH}gmail.compose`

const SCOPES: Record<string, ScopeLine> = {
  [PROFILE]: { words: 'See your name and picture' },
  [EMAIL]: { words: 'See your email address' },
  [READ_MAIL]: { words: 'Read all your email', optional: true },
  [MAIL_HEADERS]: { words: 'See senders and subjects, not the text', optional: true },
  [WRITE_DRAFTS]: { words: 'Write drafts and send', optional: true },
  [`${AUTH}gmail.send`]: { words: 'Send email as you', optional: true },
  [`${AUTH}drive.file`]: { words: 'Only the files you pick or this app makes', optional: true },
  [`${AUTH}drive.readonly`]: { words: 'Read all your files', optional: true },
  [`${AUTH}calendar.events.readonly`]: { words: 'See your events', optional: true },
}

const canonicalScope = (scope: string) => ({ email: EMAIL, profile: PROFILE })[scope] ?? scope

const AUTHORIZE = '/o/oauth2/v2/auth'
const CLIENT = { client_id: 'sandbox-google.apps.example', client_secret: 'sandbox-google-secret' }
const ACCESS_TTL = 3599

export async function startGoogle(options: {
  port: number
  redirectUris: string[]
  accessTtl?: number
}): Promise<GoogleStandIn> {
  const usualTtl = options.accessTtl ?? ACCESS_TTL
  let accessTtl = usualTtl
  /** Parameters of the authorization request by code, because the token request does not repeat them. */
  const askedFor = new Map<string, { offline: boolean; consent: boolean }>()
  /** Grants that already led to a refresh token. */
  const gaveRefreshToken = new Set<string>()

  const server = await openServer(options.port)
  const { app, url } = server

  const pictureOf = (email: string) => `/avatars/${email.split('@')[0]}.svg`
  const users: User[] = PEOPLE.map(({ email, name, sub }) => ({
    // oidc-provider uses the account id as `sub`.
    id: sub,
    name,
    handle: email,
    picture: pictureOf(email),
    claims: {
      name,
      given_name: name.split(' ')[0]!,
      family_name: name.split(' ')[1]!,
      picture: url + pictureOf(email),
      email,
      email_verified: true,
    },
  }))

  const oauth = createSignIn({
    app,
    issuer: url,
    mount: '',
    brand: { id: 'google', name: 'Google stand-in', hue: 195 },
    client: CLIENT,
    redirectUris: options.redirectUris,
    users,
    scopes: SCOPES,
    impliedScope: 'openid',
    canonicalScope,
    keepsGrantedScopes: ({ include_granted_scopes }) => include_granted_scopes === 'true',
    tokenPrefixes: { code: '4/0', access: 'ya29.', refresh: '1//0' },
    configuration: {
      routes: {
        authorization: AUTHORIZE,
        token: '/token',
        revocation: '/revoke',
        userinfo: '/oauth2/v3/userinfo',
        jwks: '/oauth2/v3/certs',
      },
      extraParams: ['access_type', 'include_granted_scopes'],
      claims: {
        openid: ['sub'],
        [EMAIL]: ['email', 'email_verified'],
        [PROFILE]: ['name', 'given_name', 'family_name', 'picture'],
      },
      conformIdTokenClaims: false,
      ttl: { AccessToken: () => accessTtl },
      // Both routes are answered below. Enabling them here adds them to the discovery document.
      features: { userinfo: { enabled: true }, revocation: { enabled: true } },
      issueRefreshToken: (_ctx, _client, { jti, grantId = '' }) => {
        const asked = askedFor.get(jti)
        if (!asked?.offline || (gaveRefreshToken.has(grantId) && !asked.consent)) return false
        gaveRefreshToken.add(grantId)
        return true
      },
    },
  })

  oauth.provider.on('authorization.success', ({ oidc }, response) => {
    if (typeof response?.code !== 'string') return
    askedFor.set(response.code, {
      offline: oidc.params?.access_type === 'offline',
      consent: oidc.prompts.has('consent'),
    })
  })

  app.get(AUTHORIZE, (c) => {
    const query = new URL(c.req.url).searchParams
    const scopes = splitScope(query.get('scope')).map(canonicalScope)
    if (scopes.length === 0) return oauth.errorPage(c, 'Missing required parameter: scope')
    query.set('scope', scopes.join(' '))
    const prompt = query.get('prompt')
    if (prompt) query.set('prompt', prompt.replace('select_account', 'login'))
    return oauth.ask(c, { query })
  })
  app.get(`${AUTHORIZE}/:uid`, (c) => oauth.ask(c))
  app.on(['GET', 'OPTIONS'], ['/.well-known/openid-configuration', '/oauth2/v3/certs'], (c) => oauth.ask(c))
  app.options('/token', (c) => oauth.ask(c))

  app.post('/token', async (c) => {
    const answer = await oauth.ask(c)
    const body = (await answer.json()) as Record<string, unknown>
    const form = new URLSearchParams(await c.req.text())
    const refreshing = form.get('grant_type') === 'refresh_token'
    let { status } = answer
    if (body.error === 'invalid_client' && !form.has('client_secret') && !c.req.header('authorization')) {
      status = 400
      Object.assign(body, { error: 'invalid_request', error_description: 'client_secret is missing.' })
    } else if (body.error === 'invalid_grant') {
      body.error_description = refreshing ? 'Token has been expired or revoked.' : 'Bad Request'
    }
    // The old refresh token stays valid and is not sent again.
    if (refreshing) delete body.refresh_token
    return new Response(JSON.stringify(body), { status, headers: answer.headers })
  })

  app.post('/revoke', async (c) => {
    const form = new URLSearchParams(await c.req.text())
    const value = form.get('token') ?? c.req.query('token')
    const token = await oauth.findToken(value)
    if (!token) return c.json({ error: 'invalid_token', error_description: 'Token expired or revoked' }, 400)
    await oauth.revokeGrant(token.grantId)
    return c.json({})
  })

  const mailboxes = new Map<string, Message[]>(PEOPLE.map(({ email }) => [email, []]))
  function deliver({ user, from, subject, body = '', snippet = body.slice(0, 120) }: NewMessage, date: Date): string {
    const mailbox = mailboxes.get(user)
    if (!mailbox) throw new HTTPException(400, { message: `There is no user "${user}"` })
    const id = randomBytes(8).toString('hex')
    mailbox.unshift({ id, threadId: id, from, subject, date, snippet, body })
    return id
  }
  for (const [user, seeds] of Object.entries(SEEDS)) {
    seeds.toReversed().forEach(([from, subject, body], index) => {
      const age = (seeds.length - index) * 19 * 3_600_000
      deliver({ user, from, subject, body }, new Date(Date.now() - age))
    })
  }
  const addMessage = (message: NewMessage) => deliver(message, new Date())

  for (const path of ['/oauth2/v3/userinfo', '/gmail/v1/*']) app.use(path, cors({ origin: '*' }))

  /** The user and scopes of the request's token, which needs one of the `accepted` scopes. */
  async function authorize(c: AppContext, accepted: string[]): Promise<{ user: User; scopes: string[] }> {
    const value = /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const token = await oauth.provider.AccessToken.find(value ?? '')
    const user = users.find(({ id }) => id === token?.accountId)
    if (!token || !user) throw refusal(c, 401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    const scopes = splitScope(token.scope)
    if (!accepted.some((scope) => scopes.includes(scope))) {
      throw refusal(c, 403, 'PERMISSION_DENIED', 'Request had insufficient authentication scopes.')
    }
    return { user, scopes }
  }

  app.on(['GET', 'POST'], '/oauth2/v3/userinfo', async (c) => {
    const { user, scopes } = await authorize(c, ['openid', EMAIL, PROFILE])
    const { email, email_verified, ...profile } = user.claims
    return c.json({
      sub: user.id,
      ...(scopes.includes(PROFILE) ? profile : {}),
      ...(scopes.includes(EMAIL) ? { email, email_verified } : {}),
    })
  })

  app.get('/gmail/v1/users/:user/messages', async (c) => {
    const { user, scopes } = await authorize(c, [READ_MAIL, MAIL_HEADERS])
    const words = (c.req.query('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean)
    if (words.length > 0 && !scopes.includes(READ_MAIL)) {
      throw refusal(c, 403, 'PERMISSION_DENIED', "Metadata scope does not support 'q' parameter")
    }
    const found = mailboxes.get(user.handle)!.filter((message) => {
      const text = [message.subject, message.from, message.snippet, message.body].join('\n').toLowerCase()
      // Gmail also finds other forms of a word. Here a plural `s` is ignored.
      return words.every((word) => text.includes(word.replace(/s$/, '')))
    })
    const messages = found
      .slice(0, Number(c.req.query('maxResults')) || 100)
      .map(({ id, threadId }) => ({ id, threadId }))
    // Gmail leaves the list out when nothing was found.
    return c.json({ ...(messages.length > 0 ? { messages } : {}), resultSizeEstimate: found.length })
  })

  app.get('/gmail/v1/users/:user/messages/:id', async (c) => {
    const { user, scopes } = await authorize(c, [READ_MAIL, MAIL_HEADERS])
    const full = (c.req.query('format') ?? 'full') === 'full'
    if (full && !scopes.includes(READ_MAIL)) {
      throw refusal(c, 403, 'PERMISSION_DENIED', "Metadata scope doesn't allow format FULL")
    }
    const message = mailboxes.get(user.handle)!.find(({ id }) => id === c.req.param('id'))
    if (!message) throw refusal(c, 404, 'NOT_FOUND', 'Requested entity was not found.')
    const { id, threadId, from, subject, date, snippet, body } = message
    return c.json({
      id,
      threadId,
      labelIds: ['INBOX'],
      snippet,
      internalDate: String(date.getTime()),
      sizeEstimate: body.length,
      payload: {
        mimeType: 'text/plain',
        headers: [
          { name: 'From', value: from },
          { name: 'To', value: user.handle },
          { name: 'Subject', value: subject },
          { name: 'Date', value: date.toUTCString() },
        ],
        ...(full ? { body: { size: Buffer.byteLength(body), data: Buffer.from(body).toString('base64url') } } : {}),
      },
    })
  })

  const drafts: Draft[] = []
  function addDraft({ body = '', ...draft }: NewDraft): string {
    if (!mailboxes.has(draft.user)) throw new HTTPException(400, { message: `There is no user "${draft.user}"` })
    const id = `r${randomBytes(8).readBigUInt64BE()}`
    drafts.push({ ...draft, id, body, isDeleted: false })
    return id
  }
  for (const draft of DRAFTS) addDraft(draft)

  /** A user's draft by the id of the path. */
  function findDraft(c: AppContext, user: User): Draft {
    const found = drafts.find(
      ({ id, ...one }) => id === c.req.param('id') && one.user === user.handle && !one.isDeleted,
    )
    if (!found) throw refusal(c, 404, 'NOT_FOUND', 'Requested entity was not found.')
    return found
  }

  app.get('/gmail/v1/users/:user/drafts', async (c) => {
    const { user } = await authorize(c, [READ_MAIL, WRITE_DRAFTS])
    const found = drafts
      .filter((one) => one.user === user.handle && !one.isDeleted)
      .slice(0, Number(c.req.query('maxResults')) || 100)
      .map(({ id }) => ({ id, message: { id: `m${id}`, threadId: `m${id}` } }))
    return c.json({ ...(found.length > 0 ? { drafts: found } : {}), resultSizeEstimate: found.length })
  })

  app.get('/gmail/v1/users/:user/drafts/:id', async (c) => {
    const { user } = await authorize(c, [READ_MAIL, WRITE_DRAFTS])
    const { id, to, subject, body } = findDraft(c, user)
    const headers = [
      { name: 'From', value: user.handle },
      { name: 'To', value: to },
      { name: 'Subject', value: subject },
    ]
    const payload = { mimeType: 'text/plain', headers }
    return c.json({
      id,
      message: { id: `m${id}`, threadId: `m${id}`, labelIds: ['DRAFT'], snippet: body.slice(0, 120), payload },
    })
  })

  // At once and for good: it does not go to the trash.
  app.delete('/gmail/v1/users/:user/drafts/:id', async (c) => {
    const { user } = await authorize(c, [WRITE_DRAFTS])
    findDraft(c, user).isDeleted = true
    return c.body(null, 204)
  })

  app.get('/__sandbox/drafts', (c) => c.json(drafts))
  app.post('/__sandbox/drafts', async (c) => {
    const body = await readObject(c)
    const id = addDraft({
      user: requireText(body, 'user'),
      to: requireText(body, 'to'),
      subject: requireText(body, 'subject'),
      body: optionalText(body, 'body'),
    })
    return c.json({ id }, 201)
  })

  app.post('/__sandbox/messages', async (c) => {
    const body = await readObject(c)
    const id = addMessage({
      user: requireText(body, 'user'),
      from: requireText(body, 'from'),
      subject: requireText(body, 'subject'),
      snippet: optionalText(body, 'snippet'),
      body: optionalText(body, 'body'),
    })
    return c.json({ id }, 201)
  })

  function setAccessTtl(seconds: number): void {
    if (!Number.isInteger(seconds) || seconds < 1)
      throw new HTTPException(400, { message: '"seconds" must be 1 or more' })
    accessTtl = seconds
  }
  app.post('/__sandbox/access-ttl', async (c) => {
    setAccessTtl(Number((await readObject(c)).seconds))
    return c.json({})
  })

  const standIn = createStandIn(server, {
    ...oauth,
    reset() {
      oauth.reset()
      accessTtl = usualTtl
      askedFor.clear()
      gaveRefreshToken.clear()
    },
  })
  return { ...standIn, client: CLIENT, setPolicy: oauth.setPolicy, addMessage, drafts, addDraft, setAccessTtl }
}

const refusal = (c: AppContext, status: 401 | 403 | 404, reason: string, message: string) =>
  new HTTPException(status, { res: c.json({ error: { code: status, message, status: reason } }, status) })
