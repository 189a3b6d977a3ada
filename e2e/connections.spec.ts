import { createHeadlessBrowser } from '@latchkey/sandbox'
import { addresses, backDoor, expect, kaggleCredentials, test } from './demo.ts'

const ROUNDS = 100

interface Answer {
  status: number
  json: Record<string, unknown>
}
interface Account {
  id: string
  provider: string
  status: string
}
interface Held extends Account {
  cookie: string
}

const headers = (cookie: string) => ({
  cookie,
  origin: addresses.app,
  'content-type': 'application/json',
  'latchkey-request': '1',
})

async function session(): Promise<string> {
  const response = await fetch(`${addresses.app}/api/config`)
  return response.headers.get('set-cookie')?.split(';')[0] ?? ''
}

async function call(cookie: string, route: string, body?: object): Promise<Answer> {
  const response = await fetch(`${addresses.app}/api/latchkey/${route}`, {
    method: body ? 'POST' : 'GET',
    headers: headers(cookie),
    body: body && JSON.stringify(body),
  })
  return { status: response.status, json: (await response.json()) as Answer['json'] }
}

/** The first thing that the tool of a run answers with this account. */
async function use({ cookie, id, provider }: Held): Promise<Record<string, unknown>> {
  const text = provider === 'gmail' ? 'Search my mail for invoices' : 'List my datasets'
  const response = await fetch(`${addresses.app}/api/chat`, {
    method: 'POST',
    headers: headers(cookie),
    body: JSON.stringify({
      id: 'chat',
      messages: [{ id: '1', role: 'user', parts: [{ type: 'text', text }] }],
      connectedAccounts: [{ provider, accountId: id }],
    }),
  })
  expect(response.status).toBe(200)
  let read = ''
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    read += piece
    const found = read.split('\n').find((line) => /^data: .*"type":"(tool-output-|error)/.test(line))
    if (found && read.endsWith('\n')) return JSON.parse(found.slice('data: '.length))
  }
  throw new Error(`The tool gave no answer: ${read}`)
}

test('case 236: PostgreSQL ends all connections in a loop: the demo lives, and no account that it acknowledged is lost @store', async ({
  demo,
}) => {
  const { token: key } = await kaggleCredentials()
  await backDoor('google', 'policy', { auto: true })
  const redirect_uri = `${addresses.app}/api/latchkey/callback`
  const held: Held[] = []
  let cuts = 0
  let refused = 0

  /**
   * Makes a call on connections that have just been ended. In a second kind of round they are ended once more while it
   * runs, and in a third until it is answered.
   */
  async function under<T>(kind: number, made: () => Promise<T>): Promise<T> {
    cuts += await demo.cut()
    let answered = false
    const answer = made().finally(() => (answered = true))
    if (kind > 0) cuts += await demo.cut()
    while (kind > 1 && !answered) cuts += await demo.cut()
    return answer
  }
  /** Whether a call did what it was to do. If not, it says so in words of ours. */
  function did({ status, json }: Answer): boolean {
    if (status === 200) return true
    expect({ status, ...json }).toMatchObject({ status: 503, error: 'temporarily_unavailable' })
    refused += 1
    return false
  }
  const keep = (cookie: string, { json }: Answer) => held.push({ cookie, ...(json.account as Account) })

  const steps = [
    async function connectKey(kind: number) {
      const cookie = await session()
      const answer = await under(kind, () => call(cookie, 'accounts', { provider: 'kaggle', fields: { key } }))
      if (did(answer)) keep(cookie, answer)
    },
    async function signIn(kind: number) {
      const cookie = await session()
      const begun = await under(kind, () => call(cookie, 'flows', { provider: 'gmail', redirect_uri }))
      if (!did(begun)) return
      const { url } = await createHeadlessBrowser().open(String(begun.json.url))
      const answer = await under(kind, () =>
        call(cookie, `flows/${begun.json.state}`, { response: url.search.slice(1) }),
      )
      if (did(answer)) keep(cookie, answer)
    },
    async function refresh(kind: number) {
      const one = held.findLast(({ provider }) => provider === 'gmail')
      if (!one) return
      const answer = await under(kind, () => call(one.cookie, `accounts/${one.id}`, {}))
      if (did(answer)) expect(answer.json.account).toMatchObject({ id: one.id, status: 'connected' })
    },
    async function run(kind: number, round: number) {
      const one = held[Math.floor(round / steps.length) % held.length]
      if (!one) return
      const answer = await under(kind, () => use(one))
      if (answer.type === 'tool-output-available') expect(answer.output).toMatchObject({ accountId: one.id })
      else expect(answer.errorText).toBe('LatchkeyError: The PostgreSQL database of the vault could not be used.')
    },
    async function list(kind: number, round: number) {
      const one = held[Math.floor(round / steps.length) % held.length]
      if (!one) return
      const answer = await under(kind, () => call(one.cookie, 'accounts'))
      if (did(answer)) expect(answer.json.accounts).toMatchObject([{ id: one.id, status: 'connected' }])
    },
  ]
  for (let round = 0; round < ROUNDS; round++) {
    const kind = Math.floor(round / steps.length) % 3
    await steps[round % steps.length]?.(kind, round)
  }
  expect(demo.lives()).toBe(true)
  expect(cuts).toBeGreaterThan(ROUNDS / 2)
  expect(refused).toBeGreaterThan(0)

  for (const one of held) {
    const { json } = await call(one.cookie, 'accounts')
    expect(json.accounts).toMatchObject([{ id: one.id, status: 'connected' }])
    expect(await use(one)).toMatchObject({ type: 'tool-output-available', output: { accountId: one.id } })
  }
  expect(new Set(held.map(({ provider }) => provider))).toEqual(new Set(['gmail', 'kaggle']))
  expect(demo.lives()).toBe(true)
})
