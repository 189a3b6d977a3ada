import type { Page } from '../accounts/page.ts'
import type { ConnectRequest } from '../identities.ts'
import { accountsOf, type ConnectedAccount, type Snapshot } from '../snapshot.ts'

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

  function settle(outcomes: Map<ConnectRequest, RequestOutcome>) {
    if (outcomes.size === 0) return
    const settled = [...outcomes].map(([request, outcome]) => [waiting.get(request), outcome] as const)
    for (const request of outcomes.keys()) waiting.delete(request)
    publish()
    for (const [resolve, outcome] of settled) resolve?.(outcome)
  }

  store.subscribe((snapshot) => {
    const outcomes = new Map<ConnectRequest, RequestOutcome>()
    for (const request of waiting.keys()) {
      if (answered(snapshot, request)) outcomes.set(request, { status: 'connected', provider: request.provider })
      // Taken out of the list: somebody said no.
      else if (!snapshot.requests.some(({ provider }) => provider === request.provider))
        outcomes.set(request, { status: 'cancelled' })
    }
    settle(outcomes)
  })

  return async (asked: ConnectRequest, signal?: AbortSignal): Promise<RequestOutcome> => {
    find(asked.provider)
    if (signal?.aborted) return { status: 'cancelled' }
    if (answered(store.getState(), asked)) return { status: 'connected', provider: asked.provider }
    // A copy: the same request may be made twice, and each waits for itself.
    const request = { ...asked }
    const cancel = () => settle(new Map([[request, { status: 'cancelled' }]]))
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

function answered(snapshot: Snapshot, { provider, accountId, scopes = [] }: ConnectRequest): boolean {
  return accountsOf(snapshot, provider).some(
    (account) =>
      (accountId === undefined || account.id === accountId) &&
      isUsable(account) &&
      scopes.every((scope) => account.scopes.includes(scope)),
  )
}

const isUsable = ({ status }: ConnectedAccount) => status === 'connected' || status === 'expiring'
