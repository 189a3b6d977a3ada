import { connect as dial } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { agent } from '../../fixtures/agents.ts'
import { once } from '../../fixtures/waiting.ts'
import {
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  type IncomingRequest,
  SecureChannel,
  SpiffeError,
} from '../index.ts'
import { FakeCa } from '../testing/index.ts'
import { createServer, listening } from '../tls/server.ts'
import { MAX_MESSAGE, readMessages, writeMessage } from './frames.ts'

const ca = new FakeCa('acme.com')
const foreign = new FakeCa('other.com')
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(...args: Parameters<typeof agent>) {
  const made = await agent(...args)
  open.push(made)
  return made
}

/** A gate for handlers: they wait until it opens. */
function gate() {
  let unlock = () => {}
  const unlocked = new Promise<void>((resolve) => {
    unlock = resolve
  })
  return { unlock, unlocked }
}

const echo = ({ action, payload, peer }: IncomingRequest) => ({ action, payload, peer })

describe('a channel', () => {
  it('carries requests, and the other end knows the verified caller', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const listener = await bob.identity.listen({ authorize: authorizeMemberOf('acme.com'), handle: echo })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => channel.request({ action: 'do', payload: { index } })),
    )
    expect(answers[49]).toEqual({ action: 'do', payload: { index: 49 }, peer: alice.id })
    expect(await channel.request({ action: 'nothing' })).toEqual({ action: 'nothing', peer: alice.id })
    const large = 'x'.repeat(1_000_000)
    expect(await channel.request({ action: 'large', payload: large })).toMatchObject({ payload: large })
    expect(listener.peers.map(String)).toEqual([alice.id])
    expect(String((await channel.connect()).id)).toBe(bob.id)
  })

  it('is refused by either end', async () => {
    const alice = await start(ca, '/agents/alice', { federated: [foreign] })
    const bob = await start(ca, '/agents/bob')
    const refused: string[] = []
    const listener = await bob.identity.listen({
      authorize: authorizeId('spiffe://acme.com/agents/carol'),
      handle: echo,
      onRefused: ({ code }) => refused.push(code),
    })
    const to = (id: string) => alice.identity.createSecureChannel(id, { address: listener })
    await expect(to(bob.id)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(refused).toEqual(['unauthorized'])
    await expect(to('spiffe://acme.com/agents/dave')).rejects.toMatchObject({ code: 'unauthorized' })
    const mallory = await start(foreign, '/agents/bob')
    const trap = await mallory.identity.listen({ authorize: authorizeAny(), handle: echo })
    const trapped = alice.identity.createSecureChannel(bob.id, { address: trap })
    await expect(trapped).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('returns the reason of a refusal, and no internal error', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const errors = vi.fn()
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      onError: errors,
      handle({ action }) {
        if (action === 'refuse') throw new SpiffeError('request_failed', 'There is no such table.')
        throw new Error('CANARY_SECRET in a path')
      },
    })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    await expect(channel.request({ action: 'refuse' })).rejects.toMatchObject({
      code: 'request_failed',
      message: expect.stringContaining('There is no such table.'),
    })
    const failure = await channel.request({ action: 'fail' }).then(
      () => new SpiffeError('misuse', 'It was done.'),
      (error: SpiffeError) => error,
    )
    expect(failure.code).toBe('request_failed')
    expect(failure.message).not.toContain('CANARY')
    expect(errors).toHaveBeenCalledTimes(2)
    await expect(channel.request({ action: '' })).rejects.toMatchObject({ code: 'misuse' })
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    await expect(channel.request({ action: 'x', payload: cyclic })).rejects.toMatchObject({ code: 'misuse' })
    const tooLong = channel.request({ action: 'x', payload: 'x'.repeat(MAX_MESSAGE) })
    await expect(tooLong).rejects.toMatchObject({ code: 'misuse' })
  })

  it('ends a request when the caller no longer waits', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const aborted: string[] = []
    const [first, third] = [gate(), gate()]
    const arrived: Record<string, ReturnType<typeof gate>> = { first, third }
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      handle: ({ action, signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(aborted.push(action)))
          arrived[action]?.unlock()
        }),
    })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const stop = new AbortController()
    const cancelled = channel.request({ action: 'first' }, { signal: stop.signal })
    await first.unlocked
    stop.abort()
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    await expect(channel.request({ action: 'second' }, { timeout: 20 })).rejects.toMatchObject({ code: 'timeout' })
    const closed = channel.request({ action: 'third' })
    await third.unlocked
    channel.close()
    await expect(closed).rejects.toMatchObject({ code: 'closed' })
    await expect(channel.request({ action: 'fourth' })).rejects.toMatchObject({ code: 'closed' })
    await vi.waitFor(() => expect(aborted).toEqual(['first', 'second', 'third']))
  })

  it('moves to a new connection after a rotation, while the old one finishes', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const slow = gate()
    const begun = gate()
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      async handle({ action }) {
        if (action === 'slow') {
          begun.unlock()
          await slow.unlocked
        }
        return action
      },
    })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const waiting = channel.request({ action: 'slow' })
    await begun.unlocked
    await alice.rotate()
    await bob.rotate()
    expect(await channel.request({ action: 'quick' })).toBe('quick')
    expect(listener.peers).toHaveLength(2)
    slow.unlock()
    expect(await waiting).toBe('slow')
    await vi.waitFor(() => expect(listener.peers).toHaveLength(1))
    // A new bundle with the same certificate needs no new connection.
    const { certificates, key } = (await alice.identity.getX509Svid()).marshalRaw()
    const same = { spiffeId: alice.id, x509Svid: certificates, x509SvidKey: key, bundle: ca.root.raw, hint: '' }
    await alice.rotate(same, [foreign.bundle()])
    expect(await channel.request({ action: 'again' })).toBe('again')
    expect(listener.peers).toHaveLength(1)
  })

  it('moves before its SVID ends, so that no request is cut off', async () => {
    const alice = await start(ca, '/agents/alice', { ttl: 2 })
    const bob = await start(ca, '/agents/bob')
    const listener = await bob.identity.listen({ authorize: authorizeAny(), handle: echo })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const end = (await alice.identity.getX509Svid()).notAfter
    let rotated = false
    while (Date.now() < end + 200) {
      await channel.request({ action: 'x' })
      if (!rotated && Date.now() > end - 500) {
        rotated = true
        await alice.rotate(ca.x509('/agents/alice'))
      }
      await turn()
    }
    expect(listener.peers).toHaveLength(1)
  })

  it('is sent to a new connection when the root of its peer is replaced, and dropped when the trust ends', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const listener = await bob.identity.listen({ authorize: authorizeAny(), handle: echo })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const next = new FakeCa('acme.com')
    await bob.rotate({ ...next.x509('/agents/bob') })
    await alice.rotate({ ...next.x509('/agents/alice') })
    expect(await channel.request({ action: 'x' })).toMatchObject({ peer: alice.id })

    const eve = await start(foreign, '/agents/eve', { federated: [next] })
    await bob.rotate(next.x509('/agents/bob'), [foreign.bundle()])
    const other = await eve.identity.createSecureChannel(bob.id, { address: listener })
    expect(await other.request({ action: 'x' })).toMatchObject({ peer: eve.id })
    await bob.rotate(next.x509('/agents/bob'), [])
    await vi.waitFor(() => expect(listener.peers.map(String)).not.toContain(eve.id))
    await expect(other.request({ action: 'x' })).rejects.toMatchObject({ code: expect.stringMatching(/un/) })
  })

  it('close() finishes the requests that are running', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const slow = gate()
    const begun = gate()
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      async handle() {
        begun.unlock()
        await slow.unlocked
        return 'done'
      },
    })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    const waiting = channel.request({ action: 'slow' })
    await begun.unlocked
    const closing = listener.close()
    slow.unlock()
    expect(await waiting).toBe('done')
    await closing
    await expect(channel.request({ action: 'late' })).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('case 239: a listener that closes takes no request and no caller, while it answers what it has taken', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const slow = gate()
    const begun = gate()
    const handled: string[] = []
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      async handle({ action }) {
        handled.push(action)
        begun.unlock()
        if (action === 'in time') await slow.unlocked
      },
    })
    const options = { authorize: authorizeAny(), alpn: ['latchkey/1'] }
    // The listener has this connection, and its handshake begins later.
    const plain = dial(listener.port, listener.host)
    await once(plain, 'connect')
    const caller = await alice.identity.connect({ ...listener, ...options })
    const late = new Promise<unknown>((resolve) => {
      readMessages(caller, (message) => message.id === 2 && resolve(message))
    })
    writeMessage(caller, { id: 1, action: 'in time' })
    await begun.unlocked
    const closing = listener.close()
    writeMessage(caller, { id: 2, action: 'late' })
    expect(await late).toMatchObject({ error: { message: 'It is closing.' } })
    const greeted = vi.fn()
    const connecting = alice.identity.connect({ socket: plain, ...options })
    await connecting
      .then((socket) =>
        once(
          socket.on('data', greeted).on('error', () => {}),
          'close',
        ),
      )
      .catch(() => {})
    expect(greeted).not.toHaveBeenCalled()
    slow.unlock()
    await closing
    expect(handled).toEqual(['in time'])
  })

  it('case 302: a caller that reads no answers does not fill the memory of the other agent', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    let handled = 0
    const listener = await bob.identity.listen({
      authorize: authorizeAny(),
      handle({ action }) {
        if (action === 'much') handled++
        return action === 'much' ? 'x'.repeat(16 * 1024) : null
      },
    })
    const caller = await alice.identity.connect({ ...listener, authorize: authorizeAny(), alpn: ['latchkey/1'] })
    open.push({ close: () => caller.destroy() })
    for (let id = 1; id <= 2000; id++) writeMessage(caller, { id, action: 'much' })
    const other = await alice.identity.createSecureChannel(bob.id, { address: listener })
    for (let turns = 0; turns < 20; turns++) await other.request({ action: 'nothing' })
    expect(handled).toBeGreaterThan(0)
    expect(handled).toBeLessThan(1100)
    // All are answered as soon as it reads.
    await new Promise<void>((resolve) => readMessages(caller, ({ id }) => id === 2000 && resolve()))
    expect(handled).toBe(2000)
  })

  it('gives up on an agent that sends nothing', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const sockets: Duplex[] = []
    const options = { authorize: authorizeAny(), alpn: ['latchkey/1'] }
    const silent = createServer(await bob.identity.x509Source(), options, (socket) => sockets.push(socket))
    open.push(silent)
    const channel = new SecureChannel(await alice.identity.x509Source(), bob.id, {
      address: await listening(silent.server),
    })
    await expect(channel.request({ action: 'x' }, { timeout: 200 })).rejects.toMatchObject({ code: 'timeout' })
    const aborted = channel.request({ action: 'x' }, { signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ code: 'cancelled' })
    await vi.waitFor(() => expect(sockets).toHaveLength(1))
    const waiting = channel.connect()
    channel.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await vi.waitFor(() => expect(silent.connections.size).toBe(0))
  })

  it('survives callers that send invalid messages', async () => {
    const alice = await start(ca, '/agents/alice')
    const bob = await start(ca, '/agents/bob')
    const listener = await bob.identity.listen({ authorize: authorizeAny(), handle: echo })
    const frame = (text: string) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length)
      return Buffer.concat([length, Buffer.from(text)])
    }
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      frame('not JSON'),
      frame('7'),
      frame('{}'),
      frame('{"id":1}'),
      frame('{"id":1,"action":7}'),
      frame('{"id":"1","action":"x"}'),
    ]) {
      const socket = await alice.identity.connect({ ...listener, authorize: authorizeAny(), alpn: ['latchkey/1'] })
      socket.on('error', () => {}).resume()
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(bytes)
      await closed
    }
    const wrong = alice.identity.connect({ ...listener, authorize: authorizeAny(), alpn: ['h2'] })
    await expect(wrong).rejects.toMatchObject({ code: 'unavailable' })
    const channel = await alice.identity.createSecureChannel(bob.id, { address: listener })
    expect(await channel.request({ action: 'x' })).toMatchObject({ action: 'x' })
  })
})

it('frames are read however they are split', async () => {
  const { Duplex } = await import('node:stream')
  const written: Buffer[] = []
  const sink = new Duplex({
    read() {},
    write(chunk, _encoding, callback) {
      written.push(chunk)
      callback()
    },
  })
  const messages = [{ id: 1, result: 'a' }, { id: 2, result: 'é'.repeat(300) }, { goaway: true as const }]
  for (const message of messages) writeMessage(sink, message)
  const bytes = Buffer.concat(written)
  for (const size of [1, 3, 4, 7, 100, bytes.length]) {
    const source = new Duplex({ read() {}, write() {} })
    const seen: unknown[] = []
    readMessages(source, (message) => seen.push(message))
    for (let at = 0; at < bytes.length; at += size) source.push(bytes.subarray(at, at + size))
    await vi.waitFor(() => expect(seen).toEqual(messages))
  }
})
