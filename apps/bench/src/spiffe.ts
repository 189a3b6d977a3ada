// `npm run bench spiffe`: compares the channel with node:tls with mutual TLS, and counts requests that rotation loses.
// Rounds alternate, so other load on the machine affects both. Read ratios, not milliseconds.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { authorizeAny, authorizeId, SecureChannel, SpiffeIdentity } from '@latchkey/spiffe'
import { FakeCa, FakeWorkloadApi } from '@latchkey/spiffe/testing'

const SEQUENTIAL = 10_000
const CONCURRENT = 200
const ROTATIONS = 20
const ROUNDS = 15

const SERVER = 'spiffe://acme.com/agents/server'
const CLIENT = 'spiffe://acme.com/agents/client'

const ca = new FakeCa('acme.com')
const platforms: FakeWorkloadApi[] = []
async function start(id: string) {
  const api = await FakeWorkloadApi.start()
  platforms.push(api)
  api.setX509([ca.x509(id)])
  const identity = new SpiffeIdentity({ address: api.address })
  const rotate = async () => {
    const updated = (await identity.x509Source()).waitUntilUpdated()
    api.setX509([ca.x509(id)])
    await updated
  }
  return { identity, rotate }
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
const timed = async (run: () => Promise<unknown>) => {
  const from = performance.now()
  await run()
  return performance.now() - from
}

const server = await start(SERVER)
const client = await start(CLIENT)
const listener = await server.identity.listen({ authorize: authorizeId(CLIENT), handle: ({ payload }) => payload })

// Rotation under load: twenty of them, on both sides, while requests go one after the other and two hundred at a time.
const channel = await client.identity.createSecureChannel(SERVER, { address: listener })
let failures = 0
let done = 0
const ask = async (payload: number) => {
  try {
    if ((await channel.request({ action: 'echo', payload })) !== payload) failures++
  } catch {
    failures++
  }
  done++
}
const rotations = (async () => {
  for (let time = 1; time <= ROTATIONS; time++) {
    const at = ((SEQUENTIAL + CONCURRENT * ROTATIONS) * time) / (ROTATIONS + 1)
    while (done < at) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([client.rotate(), server.rotate()])
  }
})()
for (let request = 0; request < SEQUENTIAL; request++) {
  await ask(request)
  // Each burst starts shortly before the next rotation.
  if ((request + 1) % (SEQUENTIAL / ROTATIONS) === 0)
    await Promise.all(Array.from({ length: CONCURRENT }, (_, index) => ask(index)))
}
await rotations
console.log(
  `${SEQUENTIAL} requests in sequence and ${ROTATIONS} times ${CONCURRENT} at once, ` +
    `${ROTATIONS} rotations of both sides: ${failures} failures`,
)
channel.close()

// The baseline: node:tls alone, with the same certificates. It trusts all roots and checks no SPIFFE ID.
const svid = await server.identity.getX509Svid()
const own = await client.identity.getX509Svid()
const root = ca.root.x509.toString()
const plain = tls.createServer(
  { key: svid.marshal().key, cert: svid.marshal().certificates, ca: root, requestCert: true, rejectUnauthorized: true },
  (socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.write('h')
    socket.on('data', (bytes) => socket.write(bytes))
  },
)
await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
const { port } = plain.address() as AddressInfo
const mine = own.marshal()
// Created once; the channel creates one per SVID.
const secureContext = tls.createSecureContext({ key: mine.key, cert: mine.certificates, ca: root })
async function dialPlain(): Promise<TLSSocket> {
  const socket = tls.connect({ host: '127.0.0.1', port, secureContext, checkServerIdentity: () => undefined })
  socket.setNoDelay(true)
  await once(socket, 'data')
  return socket
}
const source = await client.identity.x509Source()
async function dialChannel(): Promise<SecureChannel> {
  const fresh = new SecureChannel(source, SERVER, { address: listener, authorize: authorizeAny() })
  await fresh.connect()
  return fresh
}

const HANDSHAKES = 20
const REQUESTS = 400
const message = Buffer.from(JSON.stringify({ id: 1, action: 'echo', payload: 1 }))
const figures = {
  plainHandshake: [] as number[],
  handshake: [] as number[],
  plainRequest: [] as number[],
  request: [] as number[],
}
const socket = await dialPlain()
const warm = await dialChannel()
for (let round = 0; round < ROUNDS; round++) {
  const plainOnes: TLSSocket[] = []
  const ones: SecureChannel[] = []
  figures.plainHandshake.push(
    await timed(async () => {
      for (let index = 0; index < HANDSHAKES; index++) plainOnes.push(await dialPlain())
    }),
  )
  figures.handshake.push(
    await timed(async () => {
      for (let index = 0; index < HANDSHAKES; index++) ones.push(await dialChannel())
    }),
  )
  for (const one of plainOnes) one.destroy()
  for (const one of ones) one.close()
  figures.plainRequest.push(
    await timed(async () => {
      for (let index = 0; index < REQUESTS; index++) {
        const answer = new Promise((resolve) => socket.once('data', resolve))
        socket.write(message)
        await answer
      }
    }),
  )
  figures.request.push(
    await timed(async () => {
      for (let index = 0; index < REQUESTS; index++) await warm.request({ action: 'echo', payload: 1 })
    }),
  )
}
const line = (what: string, ours: number[], floor: number[], count: number) => {
  const [mineIs, floorIs] = [median(ours) / count, median(floor) / count]
  const ratio = median(ours.map((value, index) => value / (floor[index] as number)))
  console.log(
    `${what.padEnd(10)} ${mineIs.toFixed(3)} ms, node:tls ${floorIs.toFixed(3)} ms, ratio ${ratio.toFixed(2)}`,
  )
}
line('handshake', figures.handshake, figures.plainHandshake, HANDSHAKES)
line('request', figures.request, figures.plainRequest, REQUESTS)

socket.destroy()
warm.close()
plain.close()
await Promise.all([client.identity.close(), server.identity.close()])
await Promise.all(platforms.map((platform) => platform.close()))
process.exitCode = failures === 0 ? 0 : 1
