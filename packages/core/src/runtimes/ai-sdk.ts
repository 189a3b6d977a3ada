import type { AgentRequest } from '../agents/oversight.ts'
import type { LatchkeyClient } from '../client.ts'
import type { AccountReference, IdentityOptions } from '../engine.ts'
import type { Identity } from '../identities.ts'
import { isObject } from '../json.ts'
import { type AgentRuntime, type Need, type RuntimeAnswer, type RuntimeRequest, readNeed } from './requests.ts'

/**
 * The body of an AI SDK transport: resolved anew for every request, continuations included, so no request carries a
 * stale token or an account that was unticked meanwhile. Structural: it needs nothing of the AI SDK.
 *
 * ```ts
 * new DefaultChatTransport({ api: '/api/chat', body: identitiesBody(client, { agent: 'assistant' }) })
 * ```
 *
 * @returns a function for the transport's `body` option. `identities` and `connectedAccounts`, which the server keeps, have one
 *   account of each provider, and `accounts` has all that a tool may be told to use. Empty ones are left out. The server's
 *   `agentContext` takes all three out of the body.
 */
export function identitiesBody(
  client: Pick<LatchkeyClient, 'getIdentities'> &
    Partial<Pick<LatchkeyClient, 'getAgentAccounts' | 'getConnectedAccounts'>>,
  options?: IdentityOptions,
): () => Promise<{
  identities?: Identity[]
  connectedAccounts?: AccountReference[]
  accounts?: (Identity | AccountReference)[]
}> {
  return async () => {
    const [identities, connectedAccounts = [], accounts = []] = await Promise.all([
      client.getIdentities(options),
      client.getConnectedAccounts?.(options),
      client.getAgentAccounts?.(options),
    ])
    return {
      ...(identities.length > 0 && { identities }),
      ...(connectedAccounts.length > 0 && { connectedAccounts }),
      ...(accounts.length > 0 && { accounts }),
    }
  }
}

/** A call of a tool before which the AI SDK has paused. */
export interface PausedCall {
  /** What the SDK is answered under. */
  approvalId: string
  toolCallId: string
  /** Id of the `AgentRequest`, which opens for its person alone. */
  request: string
}

/** Where `toolApproval` of `@latchkey/server` says what a call waits for: the id of a request, or an account. */
const REQUEST = /\[request ([\w-]{22})\]$/
const ACCOUNT = /\[connect ([\w%&=.*+-]+)\]$/

/** What the calls of a message wait for, before which the SDK has paused: the person's word, or an account. */
export function pausedRequests(message: { parts: readonly unknown[] } | undefined): RuntimeRequest[] {
  return (message?.parts ?? []).flatMap((part) => {
    if (!isObject(part) || part.state !== 'approval-requested' || !isObject(part.approval)) return []
    const { toolCallId, approval } = part
    const { id, requestReason } = approval
    const need = needOf(`${requestReason}`)
    return need && typeof toolCallId === 'string' && typeof id === 'string' ? [{ ...need, id, toolCallId }] : []
  })
}

function needOf(reason: string): Need | null {
  const request = REQUEST.exec(reason)?.[1]
  if (request !== undefined) return { kind: 'call', request }
  const said = new URLSearchParams(ACCOUNT.exec(reason)?.[1])
  return readNeed({
    type: 'authorization_required',
    provider: said.get('provider'),
    scopes: said.get('scope')?.split(' '),
    accountId: said.get('account') ?? undefined,
    toolName: said.get('tool') ?? undefined,
  })
}

/**
 * The calls of a message that wait for their person's word, also after a reload. Anybody may have written a message: what the person
 * sees is what `Oversight.request` says of it.
 *
 * @param message a `UIMessage`, such as the last one of `useChat`
 */
export const pausedCalls = (message: { parts: readonly unknown[] } | undefined): PausedCall[] =>
  pausedRequests(message).flatMap((one) =>
    one.kind === 'call' ? [{ approvalId: one.id, toolCallId: `${one.toolCallId}`, request: one.request }] : [],
  )

/**
 * What lets the AI SDK go on when the person has answered, for `addToolApprovalResponse`. Undefined while they have not. It
 * only wakes the run: the server makes the call by the answer that it has itself.
 *
 * ```ts
 * useChat({ transport, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses })
 * ```
 */
export function approvalResponse(
  { approvalId: id }: PausedCall,
  { state, reason }: Pick<AgentRequest, 'state' | 'reason'>,
): { id: string; approved: boolean; reason?: string } | undefined {
  if (state === 'waiting') return undefined
  return { id, approved: state === 'approved', ...(reason !== undefined && { reason }) }
}

/** What `useChat` of the AI SDK returns, as far as it is needed. */
export interface AiSdkChat {
  readonly messages: readonly { role?: string; parts: readonly unknown[] }[]
  readonly status?: string
  addToolApprovalResponse(response: { id: string; approved: boolean; reason?: string }): unknown
  /** Gives an answer anew whose tool answered with what it needs. Absent: such an answer is not looked for. */
  regenerate?(): unknown
}

/**
 * What a chat of the AI SDK waits for: a call before which `toolApproval` has paused, and a tool that answered with what it
 * needs. After the first it goes on with `sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses`. After the
 * second the answer is given anew: what was done in it is not done twice.
 *
 * ```tsx
 * const requests = useRequests(aiSdk(useChat({ transport, sendAutomaticallyWhen })))
 * ```
 */
export const aiSdk = (chat: AiSdkChat): AgentRuntime => ({
  find: () => {
    const message = chat.messages.at(-1)
    // An answer that is still being given may go on by itself.
    const isOver = !chat.status || chat.status === 'ready' || chat.status === 'error'
    return [...pausedRequests(message), ...(chat.regenerate && isOver ? needsIn(message) : [])]
  },
  answer: (answers) => {
    const paused = new Set(pausedRequests(chat.messages.at(-1)).map(({ id }) => id))
    const ofPauses = answers.filter(({ request }) => paused.has(request.id))
    const rest = answers.filter((one) => !ofPauses.includes(one))
    return Promise.all([
      ...ofPauses.map((one) => chat.addToolApprovalResponse(responseOf(one))),
      // Of a refused call the model reads so. Without an account an answer that is there stays as it is.
      rest.some(({ approved, request }) => approved || request.kind === 'call') && chat.regenerate?.(),
    ])
  },
})

const responseOf = ({ request: { id }, approved, reason }: RuntimeAnswer) => ({
  ...{ id, approved },
  ...(reason !== undefined && { reason }),
})

/** What the tools of a message answered that they need. */
const needsIn = (message: { parts: readonly unknown[] } | undefined): RuntimeRequest[] =>
  (message?.parts ?? []).flatMap((part) => {
    if (!isObject(part) || part.state !== 'output-available' || typeof part.toolCallId !== 'string') return []
    const need = readNeed(part.output)
    return need ? [{ ...need, toolCallId: part.toolCallId, id: part.toolCallId }] : []
  })
