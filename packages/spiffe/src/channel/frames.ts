// The messages between two agents: JSON, each after its length in four bytes, over mutual TLS. One connection carries any
// number of requests at once. HTTP/2 (node:http2) would carry them too, but a request over it takes almost three times as
// long.

import type { Duplex } from 'node:stream'
import { SpiffeError } from '../ids/errors.ts'

/** The protocol's name in the handshake (RFC 7301). */
export const PROTOCOL = 'latchkey/1'

/** Bytes of one message. A longer one ends the connection before it is read. */
export const MAX_MESSAGE = 4 * 1024 * 1024

export type ServerMessage =
  /** The client is authorized. Without this a client of TLS 1.3 cannot tell an accepted connection from a refused one. */
  | { hello: 1 }
  /** Send new requests over a new connection. The requests of this one are finished. */
  | { goaway: true }
  | { id: number; result?: unknown }
  | { id: number; error: { message: string } }

export type ClientMessage = { id: number; action: string; payload?: unknown } | { cancel: number }

/** @throws {@link SpiffeError} `misuse` if it is too long */
export function writeMessage(socket: Duplex, message: ServerMessage | ClientMessage) {
  const body = JSON.stringify(message)
  const length = Buffer.byteLength(body)
  if (length > MAX_MESSAGE)
    throw new SpiffeError('misuse', `A message has ${length} bytes, and ${MAX_MESSAGE} is the most.`)
  const frame = Buffer.allocUnsafe(4 + length)
  frame.writeUInt32BE(length)
  frame.write(body, 4)
  if (!socket.destroyed) socket.write(frame)
}

/**
 * Reads messages as they come, and none while the socket is paused. Anything else destroys the connection, with that as the
 * reason.
 */
export function readMessages(socket: Duplex, onMessage: (message: Record<string, unknown>) => void) {
  let chunks: Buffer[] = []
  let size = 0
  const take = (length: number): Buffer => {
    const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    chunks = length < all.length ? [all.subarray(length)] : []
    size -= length
    return all.subarray(0, length)
  }
  let wanted: number | undefined
  const readOn = () => {
    while (!socket.destroyed && !socket.isPaused()) {
      if (wanted === undefined) {
        if (size < 4) return
        wanted = take(4).readUInt32BE()
        if (wanted > MAX_MESSAGE) return refuse(socket)
      }
      if (size < wanted) return
      const body = take(wanted).toString()
      wanted = undefined
      let message: unknown
      try {
        message = JSON.parse(body)
      } catch {
        return refuse(socket)
      }
      if (typeof message !== 'object' || message === null) return refuse(socket)
      onMessage(message as Record<string, unknown>)
    }
  }
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    readOn()
  })
  socket.on('resume', readOn)
}

function refuse(socket: Duplex) {
  socket.destroy(new SpiffeError('malformed_response', 'The other end does not speak this protocol.'))
}
