import { Client, Server, type ServiceError } from '@grpc/grpc-js'
import { afterEach, expect, it, vi } from 'vitest'
import { agent } from '../../fixtures/agents.ts'
import { type Authorizer, authorizeId, authorizeMemberOf } from '../index.ts'
import { FakeCa } from '../testing/index.ts'
import { serveGrpc } from './credentials.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const text = { encode: (value: string) => Buffer.from(value), decode: (bytes: Buffer) => bytes.toString() }

it('gRPC by mutual TLS on both ends, across a rotation', async () => {
  const ca = new FakeCa('acme.com')
  const alice = await agent(ca, '/alice')
  const bob = await agent(ca, '/bob')
  open.push(alice, bob)
  const server = new Server()
  const serving = await serveGrpc(server, await bob.identity.x509Source(), { authorize: authorizeMemberOf('acme.com') })
  open.push(serving)
  server.register(
    '/Greeter/Greet',
    (call: { request: string; getPeer(): string }, callback: (error: null, answer: string) => void) =>
      callback(null, `${call.request}, ${serving.peerOf(call)?.id}`),
    text.encode,
    text.decode,
    'unary',
  )
  const dial = async (from: typeof alice, authorize: Authorizer) => {
    const client = new Client(`127.0.0.1:${serving.port}`, await from.identity.grpcCredentials({ authorize }), {
      'grpc.use_local_subchannel_pool': 1,
    })
    open.push(client)
    return () =>
      new Promise<string>((resolve, reject) => {
        client.makeUnaryRequest(
          '/Greeter/Greet',
          text.encode,
          text.decode,
          'hello',
          (error: ServiceError | null, value) => (error ? reject(error) : resolve(value as string)),
        )
      })
  }
  const greet = await dial(alice, authorizeId(bob.id))
  expect(await greet()).toBe('hello, spiffe://acme.com/alice')
  await alice.rotate()
  await bob.rotate()
  expect(await greet()).toBe('hello, spiffe://acme.com/alice')
  const again = await dial(alice, authorizeId(bob.id))
  expect(await again()).toBe('hello, spiffe://acme.com/alice')

  const wrong = await dial(alice, authorizeId('spiffe://acme.com/carol'))
  await expect(wrong()).rejects.toMatchObject({ code: 14 })
  const foreign = await agent(new FakeCa('evil.com'), '/alice', { federated: [ca] })
  open.push(foreign)
  const refused = await dial(foreign, authorizeId(bob.id))
  await expect(refused()).rejects.toMatchObject({ code: 14 })
  // After close, no peer is found by its address.
  await serving.close()
  await vi.waitFor(() => expect(serving.peerOf({ getPeer: () => '127.0.0.1:1' })).toBeUndefined())
})
