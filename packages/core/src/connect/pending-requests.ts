import { isUsable } from '../accounts/account-rules.ts'
import type { Page } from '../accounts/page.ts'
import type { ConnectRequest } from '../identities.ts'
import { accountsOf, type Snapshot } from '../snapshot.ts'

/** What became of a request that a tool waits for. */
export type RequestOutcome = { status: 'connected'; provider: string } | { status: 'cancelled' }

/** Requests of running tools, shown until an account answers them. Loaded with the first one. */
export function createRequests({ store, find }: Pick<Page, 'store' | 'find'>) {
  const waiting = new Map<ConnectRequest, (outcome: RequestOutcome) => void>()

  /** One entry a provider, with the scopes of all who wait for it. */
  function publish() {
    const united = new Map<string, ConnectRequest>()
    for (const request of waiting.keys()) {
      const { scopes = [], ...first } = united.get(request.provider) ?? request
      const all = [...new Set([...scopes, ...(request.scopes ?? [])])]
      united.set(request.provider, { ...first, ...(all.length > 0 && { scopes: all }) })
    }
    const requests = [...united.values()]
    if (JSON.stringify(requests) !== JSON.stringify(store.getState().requests)) store.setState({ requests })
  }

  function settle(outcomeOf: (request: ConnectRequest) => RequestOutcome | undefined) {
    const settled = [...waiting].flatMap(([request, resolve]) => {
      const outcome = outcomeOf(request)
      return outcome && waiting.delete(request) ? [() => resolve(outcome)] : []
    })
    if (settled.length === 0) return
    publish()
    for (const tell of settled) tell()
  }

  store.subscribe((snapshot) =>
    settle((request) => {
      if (answered(snapshot, request)) return { status: 'connected', provider: request.provider }
      // No longer in the list: the request was refused.
      const isListed = snapshot.requests.some(({ provider }) => provider === request.provider)
      return isListed ? undefined : { status: 'cancelled' }
    }),
  )

  return async (asked: ConnectRequest, signal?: AbortSignal): Promise<RequestOutcome> => {
    find(asked.provider)
    if (signal?.aborted) return { status: 'cancelled' }
    if (answered(store.getState(), asked)) return { status: 'connected', provider: asked.provider }
    // A copy: the same request may be made twice, and each waits for itself.
    const request = { ...asked }
    const cancel = () => settle((one) => (one === request ? { status: 'cancelled' } : undefined))
    signal?.addEventListener('abort', cancel)
    try {
      return await new Promise<RequestOutcome>((resolve) => {
        waiting.set(request, resolve)
        publish()
      })
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }
}

const answered = (snapshot: Snapshot, { provider, accountId, scopes = [] }: ConnectRequest): boolean =>
  accountsOf(snapshot, provider).some(
    (account) =>
      (accountId === undefined || account.id === accountId) &&
      isUsable(account.status) &&
      scopes.every((scope) => account.scopes.includes(scope)),
  )
