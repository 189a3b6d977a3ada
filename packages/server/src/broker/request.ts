/** Whose accounts a session works with. */
export interface VaultOwner {
  user: string
  /** Default: `default`. */
  tenant?: string
  /** What a flow is bound to besides its user. Default: the user. */
  session?: string
}

export type Body = Record<string, unknown>

/** What the routes know of a request. */
export interface Env {
  /** The session, where the app hands it over. */
  Bindings: { session?: unknown }
  Variables: {
    body: Body
    owner: Required<VaultOwner>
    /** Whether the session of the request is there still, and is the same person's. */
    isStill: () => Promise<boolean>
    /** What `authenticate` threw, which the broker's promise rejects with. */
    thrown?: unknown
  }
}

/** Milliseconds: for a body to arrive, and for a call to a provider. */
export const TIMEOUT = 10_000
