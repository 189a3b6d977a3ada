import { createHmac, randomBytes } from 'node:crypto'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import type { Owner } from '../stores/store.ts'
import { canonicalJson } from '../vault/tenant-digest.ts'
import { type Yes, yesOf } from './requests.ts'
import type { Challenge, StoredRequest, Turn } from './turn.ts'

/** Milliseconds in which a challenge can be answered. */
const ANSWERED_WITHIN = 120_000

/** A yes that needs proof. */
export interface PresenceCall {
  owner: Owner
  /**
   * 32 bytes in base64url, for the proof to be about. Made for this yes alone: of another request, person, connection of
   * the account, version of the tool, value of an argument or lease it is another one.
   */
  challenge: string
  /** The request, with its arguments as they will be sent. */
  request: AgentRequest
}

/**
 * How a person proves that they are there. The app owns this: who has which passkey, how they get one and what they do
 * without. `passkeyConfirm` of `@latchkey/server/webauthn` makes `challenge` and `verify` for passkeys.
 */
export interface PresenceHooks {
  /**
   * Whether a yes to a request needs proof. It is asked about the arguments that the agent sent, and if the person changes
   * some, about those that will be sent.
   *
   * @default for calls whose effect is `destructive`
   */
  needs?: (request: AgentRequest) => boolean
  /** What their page is to ask of them: options of WebAuthn, as JSON. Undefined if they have no passkey. */
  challenge: (call: PresenceCall) => object | undefined | Promise<object | undefined>
  /** Whether what their page sent proves that they are there, and is about the challenge. */
  verify: (call: PresenceCall, proof: object) => boolean | Promise<boolean>
}

const isDestructive = ({ tool }: AgentRequest) => tool.effect === 'destructive'

/** A request as its page sees it, with what a yes to it needs. */
export function withPresence(request: AgentRequest, hooks: PresenceHooks | undefined): AgentRequest {
  if (!hooks || request.state !== 'waiting') return request
  const { needs = isDestructive } = hooks
  if (needs(request)) return { ...request, presence: 'needed' }
  return hooks.needs && request.tool.edit?.length ? { ...request, presence: 'if-changed' } : request
}

const isNeeded = ({ needs = isDestructive }: PresenceHooks, { shown }: StoredRequest, { args, changed }: Yes) =>
  needs(shown) || (changed !== undefined && needs({ ...shown, args }))

/** What is signed for a yes. The nonce never leaves the server, so nobody can guess arguments out of it. */
function challengeOf({ owner }: Turn, { shown, agents, generation }: StoredRequest, yes: Yes, nonce: string): string {
  const { id, account, tool } = shown
  const about = [owner.tenant, owner.user, id, agents, account, generation, tool.name, tool.version, yes.lease]
  return createHmac('sha256', Buffer.from(nonce, 'base64url'))
    .update(canonicalJson([...about, yes.args ?? null]) ?? '')
    .digest('base64url')
}

const callOf = ({ owner }: Turn, { shown }: StoredRequest, { args }: Yes, challenge: string): PresenceCall => ({
  ...{ owner: { tenant: owner.tenant, user: owner.user }, challenge, request: { ...shown, args } },
})

/** Makes the challenge for a yes, in place of an earlier one. Undefined if the yes needs none. */
export async function challenge(
  turn: Turn,
  stored: StoredRequest,
  given: Answer,
  hooks: PresenceHooks | undefined,
): Promise<PresenceCall | undefined> {
  const yes = await yesOf(turn, stored, given)
  if (!hooks || !isNeeded(hooks, stored, yes)) return undefined
  const nonce = randomBytes(32).toString('base64url')
  const made = { nonce, challenge: challengeOf(turn, stored, yes, nonce) }
  await turn.documents.write('challenge', stored.shown.id, made, turn.now + ANSWERED_WITHIN)
  return callOf(turn, stored, yes, made.challenge)
}

/** A challenge that was taken, and what is to be verified. */
export interface Taken extends Challenge {
  call: PresenceCall
}

/** Takes the challenge of a request: it is gone, whatever becomes of the answer. Undefined if it was for another answer. */
export async function take(turn: Turn, stored: StoredRequest, given: Answer): Promise<Taken | undefined> {
  const { id } = stored.shown
  const made = (await turn.documents.read('challenge', id))?.content
  // What was answered already is none of its business.
  if (!made || stored.shown.state !== 'waiting') return undefined
  await turn.documents.remove('challenge', id)
  const yes = await yesOf(turn, stored, given)
  if (challengeOf(turn, stored, yes, made.nonce) !== made.challenge) return undefined
  return { ...made, call: callOf(turn, stored, yes, made.challenge) }
}

/** Whether a yes may count: it needs no proof, or what was proven is this very yes. */
export const isConfirmed = (
  turn: Turn,
  stored: StoredRequest,
  yes: Yes,
  hooks: PresenceHooks | undefined,
  proven: Challenge | undefined,
): boolean =>
  !hooks ||
  !isNeeded(hooks, stored, yes) ||
  (proven !== undefined && challengeOf(turn, stored, yes, proven.nonce) === proven.challenge)
