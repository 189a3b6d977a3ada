import { readApprovalNotice } from '../agents/oversight.ts'
import { type ConnectRequest, readAccountRequest } from '../identities.ts'
import { type ForeignRequest, readForeignRequest } from './foreign.ts'

/** What an agent needs of its person before it can go on. */
export type Need = {
  /** The runtime's id of the call of a tool, if it says one. */
  toolCallId?: string
} & (
  | /** Their word about a call. `request` is the id of an `AgentRequest`, which opens for its person alone. */
  { kind: 'call'; request: string }
  /** An account of this page's own. */
  | { kind: 'account'; connect: ConnectRequest }
  /** A visit of a page of another vault. */
  | { kind: 'page'; page: ForeignRequest }
)

/** Something that a runtime waits for. `id` is what the runtime is answered under. */
export type RuntimeRequest = Need & { id: string }

/** What a runtime is told when its person has answered. It only wakes the run: the server goes by what it has itself. */
export interface RuntimeAnswer {
  request: RuntimeRequest
  approved: boolean
  /** Why not, in the person's own words. */
  reason?: string
}

/**
 * An agent runtime, as far as its page shows what it waits for. Each one of `@latchkey/core/runtimes` is made anew in every
 * render, out of what the runtime's own hook returns. For a runtime of your own, write these two functions.
 */
export interface AgentRuntime {
  /** What it waits for now, the first one first. Others may have written it, so what cannot be read is left out. */
  find(): readonly RuntimeRequest[]
  /** Lets it go on. It is called once for each request. */
  answer(answers: readonly RuntimeAnswer[]): unknown
  /**
   * `each`: an answer is told as soon as it is there. `all`: the runtime goes on only with all answers at once.
   *
   * @default 'each'
   */
  takes?: 'each' | 'all'
  /** Hears that the person has opened the page of a request, before they are back. */
  visit?(request: RuntimeRequest): void
  /** Calls a listener when {@link AgentRuntime.find} may find something else. Absent: the page renders again by itself. */
  subscribe?(listener: () => void): () => void
}

/**
 * What a pause of a runtime is about: the JSON of what a tool of `@latchkey/server` has thrown, or what another vault says.
 * Null for anything else. Text is never one: others may have written it.
 */
export function readNeed(value: unknown): Need | null {
  const notice = readApprovalNotice(value)
  if (notice) return { kind: 'call', request: notice.request, ...idOf(notice) }
  const connect = readAccountRequest(value)
  if (connect) return { kind: 'account', connect, ...idOf(connect) }
  const page = readForeignRequest(value)
  return page && { kind: 'page', page }
}

const idOf = ({ toolCallId }: { toolCallId?: string }) => toolCallId !== undefined && { toolCallId }

/** What a runtime's pause is resumed with. Never a token: the server reads that anew, and goes by the answers that it has. */
export interface Resume {
  approved: boolean
  /** Why not, in the person's own words. */
  reason?: string
  /** What it answers, since a run that begins again may not ask in the same order: see {@link subjectOf}. */
  of?: string
}

/** What a need is about, in one word: the id of a request, of a provider, or a page's address. */
export const subjectOf = (need: Need): string =>
  need.kind === 'call' ? need.request : need.kind === 'account' ? need.connect.provider : need.page.url

/** What a runtime's pause is resumed with, for an answer. */
export const resumeOf = ({ request, approved, reason }: RuntimeAnswer): Resume => ({
  approved,
  ...(reason !== undefined && { reason }),
  of: subjectOf(request),
})
