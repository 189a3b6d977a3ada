// Two agents of one trust domain that call each other, and who called whom. Neither has a secret configured: each gets its
// identity from the Workload API of the platform it runs on, which here is the one of the test kit.
//
//   node examples/two-agents.ts
import { authorizeId, type SecureChannel, SpiffeIdentity } from '@latchkey/spiffe'
import { FakeCa, FakeWorkloadApi } from '@latchkey/spiffe/testing'

const PLANNER = 'spiffe://acme.com/agents/planner'
const PROCESSOR = 'spiffe://acme.com/agents/data-processor'

/** Runs the conversation, and tells each call by what the called agent saw. */
export async function twoAgents(tell: (line: string) => void = console.log): Promise<void> {
  const ca = new FakeCa('acme.com')
  const agents: SpiffeIdentity[] = []
  const platforms: FakeWorkloadApi[] = []
  const addresses = new Map<string, { host: string; port: number }>()

  async function start(id: string): Promise<SpiffeIdentity> {
    const platform = await FakeWorkloadApi.start()
    platforms.push(platform)
    platform.setX509([ca.x509(id)])
    const agent = new SpiffeIdentity({
      address: platform.address,
      resolve: (to) => addresses.get(String(to)) as { host: string; port: number },
    })
    agents.push(agent)
    return agent
  }

  const planner = await start(PLANNER)
  const processor = await start(PROCESSOR)
  let back: SecureChannel | undefined

  const seen = (me: string, peer: unknown, action: string) => tell(`${me} was asked by ${peer} to ${action}`)

  // Each admits exactly the other.
  addresses.set(
    PROCESSOR,
    await processor.listen({
      authorize: authorizeId(PLANNER),
      async handle({ action, payload, peer }) {
        seen(PROCESSOR, peer, action)
        back ??= await processor.createSecureChannel(PLANNER)
        const limit = await back.request<number>({ action: 'say how many rows', payload })
        return Array.from({ length: limit }, (_, index) => `row ${index + 1}`)
      },
    }),
  )
  addresses.set(
    PLANNER,
    await planner.listen({
      authorize: authorizeId(PROCESSOR),
      handle({ action, peer }) {
        seen(PLANNER, peer, action)
        return 2
      },
    }),
  )

  const channel = await planner.createSecureChannel(PROCESSOR)
  const rows = await channel.request<string[]>({ action: 'read orders', payload: { table: 'orders' } })
  tell(`${PLANNER} got ${rows.join(', ')}`)

  await Promise.all(agents.map((agent) => agent.close()))
  await Promise.all(platforms.map((platform) => platform.close()))
}

if (import.meta.main) await twoAgents()
