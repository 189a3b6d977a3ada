import { LatchkeyError } from '../errors.ts'
import { isObject } from '../json.ts'
import { foreignPage, readAccessRequest } from './foreign.ts'
import { readNeedPage } from './need-page.ts'
import { type AgentRuntime, type Need, type RuntimeRequest, readNeed, subjectOf } from './requests.ts'

/** What the client of an MCP server is. */
export interface McpClientOptions {
  /**
   * The app's own page for what its tools need, as its own server has it. Then a request for that page is shown as what it is for. Leave
   * it out for a server of others: its pages are theirs.
   */
  page?: string
  /** Id of the server's provider. Then an answer that wants more of its account is asked about, too. */
  provider?: string
}

/** What a client answers to `elicitation/create`. `accept`: the person has opened the page, and may still be there. */
export interface McpElicitResult {
  action: 'accept' | 'decline' | 'cancel'
  /** As the SDKs have their results. */
  [other: string]: unknown
}

/** What an MCP client waits for. One for each client. */
export interface McpClientRuntime extends Required<Omit<AgentRuntime, 'takes'>> {
  /**
   * The handler of `elicitation/create`, for `mode: 'url'`. Forms are the app's: hand on to this what is no form. An address that must
   * not be opened is cancelled, and not shown.
   *
   * @param context what the SDK calls its handlers with: the request ends with its signal
   */
  elicit(
    request: { params?: unknown },
    context?: { signal?: AbortSignal; mcpReq?: { signal?: AbortSignal } },
  ): Promise<McpElicitResult>
  /** The handler of `notifications/elicitation/complete`: the page is done, and the person need not say so. */
  complete(notification: { params?: unknown }): void
  /**
   * Makes a call, and makes it again when the person has done what its server wants first: the error -32042 of MCP 2025-11-25, OpenAI's
   * `mcp/www_authenticate`, or what an app's own server says to a client without elicitation.
   *
   * @throws LatchkeyError `access_denied` when the person does without it; otherwise what the call threw.
   */
  call<Result>(act: () => Promise<Result>): Promise<Result>
  /** Cancels all, now and later, when the client is closed. */
  close(): void
}

type Action = McpElicitResult['action']

/** What is shown, and who waits for it. */
interface Card {
  /** The need as JSON: equal ones have one card. */
  key: string
  request: RuntimeRequest
  /** Of the elicitations that it is for. */
  ids: Set<unknown>
  isOpen: boolean
  /** Who waits for it. True: hears when the page is opened, and not only when the person is back. */
  waiting: Map<(action: Action) => void, boolean>
}

/** What is asked for, and the id of its elicitation. Null where there is nothing to show. */
type Asked = readonly [need: Need | null, id?: unknown]

/** Cards at once, and tries of one call. */
const MOST = 16

/** MCP's error for "the person has to visit a page first". @see MCP 2025-11-25 "URL Elicitation Required" */
const URL_ELICITATION_REQUIRED = -32042

let made = 0

/**
 * What an MCP client of the page waits for: the pages that its server wants the person to visit. Make it with the client:
 *
 * ```ts
 * const waits = mcpClient()
 * const client = new Client(info, { capabilities: { elicitation: { url: {} } } })
 * client.setRequestHandler('elicitation/create', waits.elicit)
 * client.setNotificationHandler('notifications/elicitation/complete', waits.complete)
 * const result = await waits.call(() => client.callTool({ name, arguments: input }))
 * ```
 *
 * and show `useRequests(waits)`. A page is named by its host: what the server says of it is not shown. The server hears `accept` when the
 * person opens the page, and is asked nothing more; the card stays until they are back. A server that asks for the same page meanwhile
 * hears it then.
 *
 * @see MCP 2026-07-28 "Elicitation" · MCP 2025-11-25 "URL Mode Elicitation Requests"
 */
export function mcpClient({ page, provider }: McpClientOptions = {}): McpClientRuntime {
  const cards = new Map<string, Card>()
  const listeners = new Set<() => void>()
  let isClosed = false
  const changed = () => {
    for (const listener of listeners) listener()
  }

  function askedBy(params: unknown): Asked {
    if (!isObject(params) || params.mode !== 'url') return [null]
    const own = page === undefined ? null : readNeedPage(page, params.url)
    const visit = own ? null : foreignPage('mcp', params.url)
    return [visit ? { kind: 'page', page: visit } : own, params.elicitationId]
  }

  function end(card: Card | undefined, action: Action): void {
    if (!card) return
    cards.delete(card.key)
    for (const tell of card.waiting.keys()) tell(action)
    changed()
  }
  const cardOf = ({ id }: RuntimeRequest) => [...cards.values()].find(({ request }) => request.id === id)

  /** Shows a need, on the card that is there for it. Resolves when the person has said something, or there are too many. */
  function show([need, id]: Asked, isEarly: boolean, signal?: AbortSignal): Promise<Action> {
    const key = JSON.stringify(need)
    const isFull = isClosed || (cards.size === MOST && !cards.has(key))
    if (!need || isFull || signal?.aborted) return Promise.resolve('cancel')
    const fresh = { key, request: { ...need, id: `mcp-${++made}` }, ids: new Set(), isOpen: false, waiting: new Map() }
    const card: Card = cards.get(key) ?? fresh
    const { ids, isOpen, waiting } = card
    if (id !== undefined) ids.add(id)
    cards.set(key, card)
    return new Promise((resolve) => {
      waiting.set(resolve, isEarly && !isOpen)
      signal?.addEventListener('abort', () => {
        resolve('cancel')
        waiting.delete(resolve)
        if (!card.isOpen && waiting.size === 0) end(card, 'cancel')
      })
      changed()
    })
  }

  /** What a call waits for, by its answer or its error. */
  function needsOf(said: unknown): Asked[] {
    if (!isObject(said)) return []
    const { code, data, _meta } = said
    if (code === URL_ELICITATION_REQUIRED) {
      return isObject(data) && Array.isArray(data.elicitations) ? data.elicitations.slice(0, MOST).map(askedBy) : []
    }
    const own = page !== undefined && isObject(_meta) ? readNeed(_meta['latchkey/need']) : null
    const connect = provider === undefined ? null : readAccessRequest(said, { provider })
    return own ? [[own]] : connect ? [[{ kind: 'account', connect }]] : []
  }

  /** Whether the person has done all that a call waits for. False where nobody asks them any more. */
  async function areDone(all: readonly Asked[]): Promise<boolean> {
    for (const asked of all) {
      const action = await show(asked, false)
      if (action === 'cancel') return false
      const [need] = asked
      // Of a call its server has the answer, and says why.
      if (need && action === 'decline' && need.kind !== 'call') throw refusalOf(need)
    }
    return true
  }

  return {
    find: () => [...cards.values()].map(({ request }) => request),
    answer(answers) {
      for (const { request, approved } of answers) end(cardOf(request), approved ? 'accept' : 'decline')
    },
    visit(request) {
      const card = cardOf(request)
      if (!card) return
      card.isOpen = true
      for (const [tell, isEarly] of card.waiting) {
        if (!isEarly) continue
        tell('accept')
        card.waiting.delete(tell)
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    elicit: async ({ params }, context) => ({
      action: await show(askedBy(params), true, context?.signal ?? context?.mcpReq?.signal),
    }),
    complete({ params }) {
      const id = isObject(params) ? params.elicitationId : undefined
      for (const card of cards.values()) if (card.ids.has(id)) end(card, 'accept')
    },
    async call(act) {
      for (let tries = 1; ; tries += 1) {
        const result = act()
        const asked = needsOf(await result.catch((error: unknown) => error))
        const isOver = asked.length === 0 || tries === MOST || asked.some(([need]) => !need)
        if (isOver || !(await areDone(asked))) return result
      }
    },
    close() {
      isClosed = true
      for (const card of cards.values()) end(card, 'cancel')
    },
  }
}

const refusalOf = (need: Need) => {
  const what = need.kind === 'page' ? need.page.host : subjectOf(need)
  return new LatchkeyError('access_denied', `The person said no to ${what}.`, { next: 'none' })
}
