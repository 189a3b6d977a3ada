// What the lab's page runs: a client for one provider, its state in words, and a button.
import * as core from '@latchkey/core'

const query = new URLSearchParams(location.search)
const server = query.get('server') ?? ''
const common = { id: 'lab', name: 'Lab', clientId: 'lab', baseUrl: server }
const provider =
  query.get('kind') === 'oidc'
    ? core.oidc({ ...common, issuer: server, scopes: ['openid'] })
    : core.oauth({
        ...common,
        authorizationEndpoint: `${server}/authorize`,
        tokenEndpoint: `${server}/token`,
        scopes: ['read'],
        profile: {
          endpoint: `${server}/userinfo`,
          cors: true,
          fields: { subject: 'sub', username: 'preferred_username' },
        },
      })
const client = core.createLatchkey({
  providers: [provider],
  redirectUri: `${location.origin}/callback`,
  prefix: query.get('prefix') ?? undefined,
})

export interface Lab {
  core: typeof core
  client: core.LatchkeyClient
  /** How the last connect ended. */
  outcome?: { status: string; code?: string; message?: string; next?: string }
  /** Every status that the provider's card had, in order. */
  words: string[]
}

const lab: Lab = { core, client, words: [] }
Object.assign(globalThis, { lab })

function show() {
  const snapshot = client.getSnapshot()
  const { reason, error } = snapshot.providers.lab ?? {}
  const word = core.cardStatus(snapshot, 'lab')
  if (lab.words.at(-1) !== word) lab.words.push(word)
  document.body.dataset.status = word
  document.body.dataset.reason = reason ?? error?.code ?? ''
  const text = document.querySelector('pre')
  if (text) text.textContent = JSON.stringify({ snapshot, message: error?.message, outcome: lab.outcome }, null, 2)
}

const ended = (outcome: Lab['outcome']) => {
  lab.outcome = outcome
  document.body.dataset.outcome = outcome?.code ?? outcome?.status ?? ''
  show()
}
document.querySelector('button')?.addEventListener('click', () => {
  client.connect('lab').then(ended, ({ code, message, next }) => ended({ status: 'failed', code, message, next }))
})
client.subscribe(show)
client.mount()
show()
client.handleRedirect().catch(() => {})
