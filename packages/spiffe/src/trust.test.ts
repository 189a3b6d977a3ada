import http from 'node:http'
import https from 'node:https'
import { Client, Server, status } from '@grpc/grpc-js'
import { Agent, request } from 'undici'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { agent } from '../fixtures/agents.ts'
import { PROTOCOL, readMessages, writeMessage } from './channel/frames.ts'
import { grpcCredentials, serveGrpc } from './grpc.ts'
import { authorizeAny, Bundle, SecureChannel, type X509Provider } from './index.ts'
import { FakeCa } from './testing/index.ts'
import { listening } from './tls/server.ts'
import { connect, createServer, httpsAgent, listen, undiciConnector } from './tls.ts'

const authorize = authorizeAny()
const open: { close(): unknown }[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const one of open.splice(0).reverse()) await one.close()
})

interface Address {
  host: string
  port: number
}

interface Serving extends Address {
  close(): Promise<unknown>
}

/** A kind of server and client: `serve` calls `onRequest` for each request, and `dial` makes a client that sends one. */
interface Kind {
  serve(source: X509Provider, onRequest: () => void): Promise<Serving>
  dial(source: X509Provider, address: Address): () => Promise<unknown>
}

async function serveHttps(source: X509Provider, onRequest: () => void): Promise<Serving> {
  const answering = http.createServer((_request, response) => {
    onRequest()
    response.end('done')
  })
  // Not the reason why a connection ends.
  answering.keepAliveTimeout = 60_000
  const serving = createServer(source, { authorize }, (socket) => void answering.emit('connection', socket))
  return { ...(await listening(serving.server)), close: () => serving.close() }
}

const serveChannel: Kind['serve'] = (source, onRequest) => listen(source, { authorize, handle: () => onRequest() })

const kinds: Record<string, Kind> = {
  'an https.Agent': {
    serve: serveHttps,
    dial(source, { host, port }) {
      const agent = httpsAgent(source, { authorize, maxSockets: 1 })
      open.push({ close: () => agent.destroy() })
      return () =>
        new Promise((resolve, reject) => {
          https.get({ host, port, agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
        })
    },
  },
  'an Agent of undici': {
    serve: serveHttps,
    dial(source, { host, port }) {
      const dispatcher = new Agent({
        connect: undiciConnector(source, { authorize }),
        connections: 1,
        keepAliveTimeout: 60_000,
      })
      open.push(dispatcher)
      return async () => (await request(`https://${host}:${port}/`, { dispatcher })).body.text()
    },
  },
  gRPC: {
    async serve(source, onRequest) {
      const server = new Server()
      const bytes = (value: Buffer) => value
      server.register(
        '/Test/Do',
        (_call: unknown, callback: (error: null, answer: Buffer) => void) => {
          onRequest()
          callback(null, Buffer.alloc(0))
        },
        bytes,
        bytes,
        'unary',
      )
      return serveGrpc(server, source, { authorize })
    },
    dial(source, { host, port }) {
      const client = new Client(`${host}:${port}`, grpcCredentials(source, { authorize }))
      open.push(client)
      const bytes = (value: Buffer) => value
      return () =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest('/Test/Do', bytes, bytes, Buffer.alloc(0), (error, answer) =>
            error ? reject(error) : resolve(answer),
          )
        })
    },
  },
  'a channel': {
    serve: serveChannel,
    dial(source, address) {
      const channel = new SecureChannel(source, 'spiffe://acme.com/server', { address })
      open.push(channel)
      return () => channel.request({ action: 'do' })
    },
  },
  'a channel that ignores what the listener says': {
    serve: serveChannel,
    dial(source, address) {
      const connecting = connect(source, { ...address, authorize, alpn: [PROTOCOL] })
      connecting.then((socket) => open.push({ close: () => socket.destroy() }))
      let id = 0
      return async () => {
        const socket = await connecting
        return new Promise((resolve, reject) => {
          const ended = () => reject(new Error('The connection has ended.'))
          if (socket.destroyed) return ended()
          socket.on('error', ended).once('close', ended)
          readMessages(socket, (message) => {
            if (message.id === id) (message.error ? reject : resolve)(message)
          })
          writeMessage(socket, { id: ++id, action: 'do' })
        })
      }
    },
  },
}

const cas = (trustDomain: string) => [new FakeCa(trustDomain), new FakeCa(trustDomain)] as const
const trusting = (...trusted: FakeCa[]) =>
  new Bundle((trusted[0] as FakeCa).trustDomain, { x509Authorities: trusted.map(({ root }) => root) })

/** A server of acme.com and a client of other.com. Each trusts two roots of the other's trust domain. */
async function start({ serve, dial }: Kind) {
  const [acme, nextAcme] = cas('acme.com')
  const [other, nextOther] = cas('other.com')
  const party = async (own: FakeCa, path: string, trusted: Bundle) => {
    const made = await agent(own, path)
    open.push(made)
    const source = await made.identity.x509Source()
    const { certificates, key } = source.svid.marshalRaw()
    const svid = { spiffeId: made.id, x509Svid: certificates, x509SvidKey: key, bundle: own.root.raw, hint: '' }
    const trust = (...bundles: Bundle[]) => made.rotate(svid, bundles)
    await trust(trusted)
    return { source, trust, api: made.api }
  }
  const server = await party(acme, '/server', trusting(other, nextOther))
  const client = await party(other, '/client', trusting(acme, nextAcme))
  const onRequest = vi.fn()
  const serving = await serve(server.source, onRequest)
  open.push(serving)
  const call = dial(client.source, serving)
  await call()
  return {
    call,
    serving,
    onRequest,
    server,
    client,
    /** The root that signed the server's, or the client's, certificate is no longer in the other's bundle. */
    withdraw: {
      'the root of the client': () => server.trust(trusting(nextOther)),
      'the root of the server': () => client.trust(trusting(nextAcme)),
      'the trust domain of the server': () => client.trust(),
      async 'the identity of the client'() {
        const updated = client.source.waitUntilUpdated()
        client.api.fail('x509Svid', status.PERMISSION_DENIED)
        await updated
      },
    },
  }
}

/** Runs what sets timers, and lets five seconds pass. */
async function graceAfter(action: () => Promise<void>) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await action()
  vi.advanceTimersByTime(5000)
  vi.useRealTimers()
}

describe.each(Object.entries(kinds))('%s', (_name, kind) => {
  it.each([
    'the root of the client',
    'the root of the server',
    'the trust domain of the server',
    'the identity of the client',
  ] as const)('case 239: no request is served after %s is withdrawn and a grace has passed', async (what) => {
    const { call, onRequest, withdraw } = await start(kind)
    await graceAfter(withdraw[what])
    await expect(call()).rejects.toThrow()
    expect(onRequest).toHaveBeenCalledTimes(1)
  })

  it('case 239: close() ends the connections, and takes no request', async () => {
    const { call, serving, onRequest } = await start(kind)
    const closed = serving.close()
    await expect(call()).rejects.toThrow()
    await closed
    expect(onRequest).toHaveBeenCalledTimes(1)
  })
})

it('case 239: a connection stays if the root is put back within the grace', async () => {
  const { call, server, onRequest } = await start(kinds['a channel that ignores what the listener says'] as Kind)
  const { source, trust } = server
  const before = source.getBundle('other.com') as Bundle
  await graceAfter(async () => {
    await trust(trusting(new FakeCa('other.com')))
    await trust(before)
  })
  await call()
  expect(onRequest).toHaveBeenCalledTimes(2)
})
