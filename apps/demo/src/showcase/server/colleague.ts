import { randomUUID } from 'node:crypto'
import { type Address, authorizeId, SpiffeError, type SpiffeId, SpiffeIdentity } from '@latchkey/spiffe'
import { FakeCa, FakeWorkloadApi } from '@latchkey/spiffe/testing'
import { z } from 'zod'

const TRUST_DOMAIN = 'demo.example'
export const ASSISTANT = `spiffe://${TRUST_DOMAIN}/agents/assistant`
export const DATA_PROCESSOR = `spiffe://${TRUST_DOMAIN}/agents/data-processor`

/** Half of how long the certificates are valid. */
const RENEWED_EVERY_MS = 30 * 60 * 1000

/** A call between agents, as the called one saw it: `from` is what the caller's certificate proved in the handshake. */
export interface Call {
  from: string
  to: string
  action: string
}

export interface Colleague {
  /** Calls the data processor as the assistant. */
  ask(action: string, table: string, options?: { signal?: AbortSignal }): Promise<{ calls: Call[]; answer: string }>
  /** Starts another workload of the same trust domain. */
  join(id: string): Promise<SpiffeIdentity>
  /** Stops the agents, if they were started. */
  close(): Promise<void>
}

/** The tables that the assistant provides to the data processor. */
const TABLES = new Map([
  ['orders', [120, 75, 310, 48]],
  ['visits', [1204, 987, 1130]],
])

const Task = z.object({ task: z.string(), table: z.string() })
const Rows = z.array(z.number())

/**
 * A second agent, the data processor. It and the assistant call each other over mutual TLS, and neither has a configured
 * secret. Both start with the first question.
 */
export function createColleague(): Colleague {
  let starting: ReturnType<typeof startAgents> | undefined
  let closed = false

  function agents() {
    if (closed) throw new SpiffeError('closed', 'The agents have ended.')
    starting ??= startAgents().catch((error) => {
      // A failed start is forgotten, so that the next question tries again.
      starting = undefined
      throw error
    })
    return starting
  }

  return {
    async ask(action, table, options) {
      if (!TABLES.has(table)) {
        throw new Error(`The assistant has no table “${table}”, only ${[...TABLES.keys()].join(' and ')}.`)
      }
      return (await agents()).ask(action, table, options)
    },
    async join(id) {
      return (await agents()).join(id)
    },
    async close() {
      closed = true
      const started = await starting?.catch(() => undefined)
      await started?.close()
    },
  }
}

async function startAgents() {
  // This is a demo on one machine, where no SPIRE runs: the certificate authority and the Workload API are those of the
  // test kit, in this process. In production SpiffeIdentity finds the platform's in SPIFFE_ENDPOINT_SOCKET, and the lines
  // with `ca` and `platform` are not needed. The rest is as in production.
  let ca = new FakeCa(TRUST_DOMAIN)
  const addresses = new Map<string, Address>()
  const identities: SpiffeIdentity[] = []
  const platforms: { api: FakeWorkloadApi; id: string }[] = []
  let renewals = 0
  const renewal = setInterval(() => {
    // The authority's certificate is valid for a day too. A question during its rotation may be refused.
    if (++renewals % 24 === 0) ca = new FakeCa(TRUST_DOMAIN)
    for (const { api, id } of platforms) api.setX509([ca.x509(id)])
  }, RENEWED_EVERY_MS).unref()

  async function join(id: string): Promise<SpiffeIdentity> {
    const api = await FakeWorkloadApi.start()
    platforms.push({ api, id })
    api.setX509([ca.x509(id)])
    const identity = new SpiffeIdentity({ address: api.address, resolve: (to) => addressOf(addresses, to) })
    identities.push(identity)
    return identity
  }

  async function close() {
    clearInterval(renewal)
    await Promise.all(identities.map((identity) => identity.close()))
    await Promise.all(platforms.map(({ api }) => api.close()))
  }

  try {
    const assistant = await join(ASSISTANT)
    const processor = await join(DATA_PROCESSOR)
    /** What the assistant waits for. The data processor reads the rows of these, and no others. */
    const tasks = new Map<string, { table: string; calls: Call[] }>()

    addresses.set(
      ASSISTANT,
      await assistant.listen({
        authorize: authorizeId(DATA_PROCESSOR),
        handle({ action, payload, peer }) {
          const { task, table } = Task.parse(payload)
          const mine = tasks.get(task)
          if (action !== 'read rows' || mine?.table !== table) {
            throw new SpiffeError('permission_denied', 'The assistant did not ask for this.')
          }
          mine.calls.push({ from: String(peer), to: ASSISTANT, action })
          return TABLES.get(table)
        },
      }),
    )
    const toAssistant = await processor.createSecureChannel(ASSISTANT)

    addresses.set(
      DATA_PROCESSOR,
      await processor.listen({
        authorize: authorizeId(ASSISTANT),
        async handle({ action, payload, peer, signal }) {
          if (action !== 'summarize') {
            throw new SpiffeError('invalid_argument', 'The data processor can only summarize.')
          }
          const { task, table } = Task.parse(payload)
          const rows = Rows.parse(
            await toAssistant.request({ action: 'read rows', payload: { task, table } }, { signal }),
          )
          const sum = rows.reduce((total, row) => total + row, 0)
          return {
            from: String(peer),
            answer: `${table}: ${rows.length} rows, ${sum} in all, the largest ${Math.max(...rows)}.`,
          }
        },
      }),
    )
    const toProcessor = await assistant.createSecureChannel(DATA_PROCESSOR)

    return {
      join,
      close,
      async ask(action: string, table: string, options: { signal?: AbortSignal } = {}) {
        const task = randomUUID()
        const calls: Call[] = []
        tasks.set(task, { table, calls })
        try {
          const request = { action, payload: { task, table } }
          const { from, answer } = await toProcessor.request<{ from: string; answer: string }>(request, options)
          return { calls: [{ from, to: DATA_PROCESSOR, action }, ...calls], answer }
        } finally {
          tasks.delete(task)
        }
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

function addressOf(addresses: Map<string, Address>, id: SpiffeId): Address {
  const address = addresses.get(String(id))
  if (!address) throw new SpiffeError('not_configured', `It is not known where ${id} listens.`)
  return address
}
