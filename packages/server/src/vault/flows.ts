import { createHash } from 'node:crypto'
import type { Flow } from '@latchkey/core/server'
import type { Owner, VaultStore } from '../stores/store.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'

/** The user that an account belongs to, and the session that a flow is bound to. */
export interface SessionOwner extends Owner {
  session: string
}

/** Authorizations in progress, encrypted. */
export interface Flows {
  /** @param lifetime Milliseconds. */
  putFlow(owner: SessionOwner, flow: Flow, lifetime: number): Promise<void>
  /** Returns a flow once. `foreign` if another session started it. */
  takeFlow(owner: SessionOwner, state: string): Promise<Flow | 'foreign' | undefined>
}

/** In the place of a provider, where a flow is sealed: no provider id has such a character. */
const FLOW = '/flow'

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

export function createFlows(store: VaultStore, keys: KeyProvider): Flows {
  return {
    async putFlow({ tenant, user, session }, flow, lifetime) {
      const id = digest(flow.state)
      const sealed = await seal(keys, { tenant, user, provider: FLOW, account: id }, JSON.stringify(flow))
      const now = Date.now()
      await store.putFlow({ tenant, user, id, session: digest(session), ...sealed, expiresAt: now + lifetime }, now)
    },
    async takeFlow({ tenant, user, session }, state) {
      const id = digest(state)
      const row = await store.takeFlow({ tenant, user }, id, digest(session), Date.now())
      if (row === undefined || row === 'foreign') return row
      return JSON.parse(await unseal(keys, { ...row, provider: FLOW, account: id }))
    },
  }
}
