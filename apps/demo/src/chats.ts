import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'

/**
 * Ids of chats. Each is signed for one person and one agent, so a page can name no chat that this server did not give to it.
 * An app that stores its chats looks them up instead.
 *
 * @param secret signs the ids. @default random, so chats end with this process
 */
export function createChats(secret: string | Uint8Array = randomBytes(32)) {
  const key = createHmac('sha256', secret).update('chats').digest()
  const sign = (...parts: string[]) => createHmac('sha256', key).update(JSON.stringify(parts)).digest()
  return {
    /** Starts a chat of a person with an agent. */
    start(userId: string, agent: string): string {
      const id = randomUUID()
      return `${id}.${sign(userId, agent, id).toString('base64url')}`
    },
    /** The chat that a page names; undefined if it was not started by this person with this agent. */
    find(userId: string, agent: string, named: unknown): string | undefined {
      const [id = '', signature = ''] = typeof named === 'string' ? named.split('.') : []
      const [given, right] = [Buffer.from(signature, 'base64url'), sign(userId, agent, id)]
      return given.length === right.length && timingSafeEqual(given, right) ? id : undefined
    },
  }
}
