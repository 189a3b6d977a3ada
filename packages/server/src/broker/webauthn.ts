// `@latchkey/server/webauthn`: a person confirms with a passkey. It needs `@simplewebauthn/server` beside it.
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  verifyAuthenticationResponse,
} from '@simplewebauthn/server'
import type { Owner } from '../stores/store.ts'
import type { PresenceHooks } from '../use/presence.ts'

/** A passkey of a person, as the app stored it when they made it. */
export interface Passkey {
  /** Credential id, in base64url. */
  id: string
  /** Public key in COSE form, as `verifyRegistrationResponse()` gives it. */
  publicKey: Uint8Array<ArrayBuffer>
  /** The counter that it had last. */
  counter: number
  /** How browsers reach it, as the registration said. */
  transports?: string[]
}

/** What {@link passkeyConfirm} is made with. */
export interface PasskeyConfirmOptions {
  /** Domain that the passkeys are for, such as `app.example`. */
  rpID: string
  /** Origins of the pages where they are used, such as `https://app.example`. */
  origin: string | string[]
  /** The passkeys of a person. None: they are told to make one in the app first. */
  passkeys: (owner: Owner) => readonly Passkey[] | Promise<readonly Passkey[]>
  /** Stores the counter of a passkey that was used. One that does not grow is refused: it may be a copy. */
  used: (owner: Owner, id: string, counter: number) => void | Promise<void>
}

/**
 * Confirms by passkey: `createBroker({ confirm: passkeyConfirm({ rpID, origin, passkeys, used }) })`. The authenticator has
 * to verify its user, by a finger, a face or a PIN. How people get a passkey, and what they do without, is the app's.
 */
export function passkeyConfirm({
  rpID,
  origin,
  passkeys,
  used,
}: PasskeyConfirmOptions): Pick<PresenceHooks, 'challenge' | 'verify'> {
  return {
    async challenge({ owner, challenge }) {
      const known = await passkeys(owner)
      if (known.length === 0) return undefined
      return generateAuthenticationOptions({
        rpID,
        // A text would be encoded once more.
        challenge: Uint8Array.from(Buffer.from(challenge, 'base64url')),
        allowCredentials: known.map(({ id, transports }) => ({ id, ...(transports && { transports }) })),
        userVerification: 'required',
      })
    },
    async verify({ owner, challenge }, proof) {
      const passkey = (await passkeys(owner)).find(({ id }) => 'id' in proof && proof.id === id)
      if (!passkey) return false
      const verified = await verifyAuthenticationResponse({
        response: proof as AuthenticationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
        credential: passkey,
        requireUserVerification: true,
        // It throws for whatever does not fit.
      }).catch(() => undefined)
      if (!verified?.verified) return false
      await used(owner, passkey.id, verified.authenticationInfo.newCounter)
      return true
    },
  }
}
