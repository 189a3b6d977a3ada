import type { TokenEndpointResponse } from 'oauth4webapi'

interface Held {
  access_token: string
  /** When to renew it, and when it expires. */
  renewAt: number
  expiresAt: number
}

/** How long before its expiry a token is renewed; a short-lived token is renewed after half of its life. */
const AHEAD = 60_000
/** The assumed lifetime of a token without `expires_in`. */
const DEFAULT_LIFE = 300_000

/** Which token, and how it is come by. */
export interface WantedToken {
  /** Whose token it is, and what it is for: nothing else ever gets it. */
  key: readonly unknown[]
  request: () => Promise<TokenEndpointResponse>
  /** The token that an API refused: it is not returned again. */
  refused?: string | undefined
}

/** Access tokens in memory, requested once for all concurrent callers, and renewed before they expire. */
export class HeldTokens {
  readonly #tokens = new Map<string, Held>()
  readonly #pending = new Map<string, Promise<Held>>()
  #sweptAt = 0

  /** A token that has not expired. @throws what `request` throws */
  async get({ key, request, refused }: WantedToken): Promise<string> {
    const name = JSON.stringify(key)
    // Of several concurrent refusals, only the first requests a new token.
    if (refused !== undefined && this.#tokens.get(name)?.access_token === refused) this.#tokens.delete(name)
    const held = this.#tokens.get(name)
    if (held && Date.now() < held.renewAt) return held.access_token
    try {
      return (await this.#renew(name, request)).access_token
    } catch (error) {
      // The renewal was early: the old token is still valid.
      if (held && this.#tokens.get(name) === held && Date.now() < held.expiresAt) return held.access_token
      throw error
    }
  }

  /** Drops the tokens whose key begins with this. One that is requested right now is not kept. */
  forget(first: unknown): void {
    const start = `${JSON.stringify([first]).slice(0, -1)},`
    for (const map of [this.#tokens, this.#pending]) {
      for (const name of map.keys()) if (name.startsWith(start)) map.delete(name)
    }
  }

  /** One request at a time for each token. Concurrent callers share it. */
  #renew(name: string, request: () => Promise<TokenEndpointResponse>): Promise<Held> {
    const running = this.#pending.get(name)
    if (running) return running
    const renewal = request()
      .then((answer) => {
        const held = heldOf(answer)
        this.#sweep()
        if (this.#pending.get(name) === renewal) this.#tokens.set(name, held)
        return held
      })
      .finally(() => {
        if (this.#pending.get(name) === renewal) this.#pending.delete(name)
      })
    this.#pending.set(name, renewal)
    return renewal
  }

  /** Drops what has expired, so that memory does not grow with everybody who ever came. */
  #sweep(): void {
    const now = Date.now()
    if (now - this.#sweptAt < AHEAD) return
    this.#sweptAt = now
    for (const [name, { expiresAt }] of this.#tokens) if (expiresAt <= now) this.#tokens.delete(name)
  }
}

function heldOf({ access_token, expires_in }: TokenEndpointResponse): Held {
  const now = Date.now()
  const life = expires_in === undefined ? DEFAULT_LIFE : expires_in * 1000
  return { access_token, renewAt: now + Math.max(life - AHEAD, life / 2), expiresAt: now + life }
}
