'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import type { AgentRuntime, RuntimeAnswer, RuntimeRequest } from '@latchkey/core/runtimes/requests'
import { useQueries } from '@tanstack/react-query'
import { useEffect, useReducer, useRef } from 'react'
import { OPTIONS, PACE, useOverseen, useRequestsQuery } from './oversight.tsx'

/** Something that a runtime waits for, and how its person answers. */
export type PausedRequest = RuntimeRequest & {
  /** What the person is asked about a call. Absent until it is known, and for a request that is not this person's. */
  asked?: AgentRequest
  /**
   * `told`: the runtime was told, and has not gone on yet. `failed`: it could not be told.
   */
  state: 'waiting' | 'told' | 'failed'
  /** Answers for an account or a page, once it is there or the person does without it. A call is answered by its `AgentRequest`. */
  answer(approved: boolean): void
  /** Tells the runtime again, after it could not be told. */
  tellAgain(): void
}

const NOTHING: readonly AgentRequest[] = []

/**
 * What waits for the person's answer, the oldest first. Empty until it is known.
 *
 * @throws Error outside of an OversightProvider.
 */
export function useRequests(): readonly AgentRequest[]
/**
 * What an agent's runtime waits for, in this chat. It goes on when its person has answered: on a card here, in the inbox or in
 * another tab. It is told once of each answer.
 *
 * ```tsx
 * const requests = useRequests(aiSdk(useChat({ transport, sendAutomaticallyWhen })))
 * return requests.map((request) => <RuntimePrompt key={request.id} request={request} />)
 * ```
 *
 * @param runtime one of `@latchkey/core/runtimes`, or your own. It may be another object in each render.
 */
export function useRequests(runtime: AgentRuntime): readonly PausedRequest[]
export function useRequests(runtime?: AgentRuntime): readonly AgentRequest[] | readonly PausedRequest[] {
  const { data: waiting } = useRequestsQuery()
  const [, render] = useReducer((count: number) => count + 1, 0)
  const subscribe = runtime?.subscribe
  useEffect(() => subscribe?.(render), [subscribe])
  const found = runtime?.find() ?? []
  const asked = useAsked(found)
  const { stateOf, answer, tellAgain } = useTelling(runtime, found, asked, render)
  if (!runtime) return waiting ?? NOTHING
  return found.map((one): PausedRequest => {
    const request = asked.get(one.id)
    return {
      ...{ ...one, ...(request && { asked: request }), state: stateOf(one) },
      answer: (approved) => answer(one, approved),
      tellAgain: () => tellAgain(one),
    }
  })
}

/** The requests that calls wait for, by the runtime's ids. */
function useAsked(found: readonly RuntimeRequest[]): ReadonlyMap<string, AgentRequest> {
  const { oversight, key } = useOverseen()
  const { data: waiting } = useRequestsQuery()
  const calls = found.filter((one) => one.kind === 'call')
  const asked = useQueries({
    queries: calls.map(({ request }) => ({
      ...OPTIONS,
      queryKey: [...key, 'request', request],
      queryFn: () => oversight.request(request),
      // What was on the card stays there until more is known.
      initialData: () => waiting?.find(({ id }) => id === request),
      initialDataUpdatedAt: 0,
      // The list has those that wait. It may be older than the request.
      enabled: waiting?.every(({ id }) => id !== request) === true,
      refetchInterval: ({ state }: { state: { data: AgentRequest | undefined } }) =>
        state.data && state.data.state !== 'waiting' ? (false as const) : PACE,
    })),
  })
  return new Map(
    calls.flatMap(({ id, request }, at) => {
      const one = waiting?.find((request_) => request_.id === request) ?? asked[at]?.data
      return one ? [[id, one]] : []
    }),
  )
}

type Said = Pick<RuntimeAnswer, 'approved' | 'reason'>

/** Tells a runtime of the answers that are there, each of them once. */
function useTelling(
  runtime: AgentRuntime | undefined,
  found: readonly RuntimeRequest[],
  asked: ReadonlyMap<string, AgentRequest>,
  render: () => void,
) {
  /** What was said here of an account or a page. A runtime may ask something else under the same id. */
  const said = useRef(new Map<string, Said>())
  // What was told is no longer found with the next render of the runtime, which may be later than the next of ours.
  const told = useRef(new Map<string, 'told' | 'failed'>())

  const answerOf = (request: RuntimeRequest): RuntimeAnswer | undefined => {
    const known = asked.get(request.id)
    const one = known ? saidOf(known) : said.current.get(keyOf(request))
    return one && { request, ...one }
  }
  useEffect(() => {
    // What it no longer waits for may be asked again later.
    const keys = new Set(found.map(keyOf))
    for (const all of [said.current, told.current]) for (const key of all.keys()) if (!keys.has(key)) all.delete(key)
    const answers = found.flatMap((one) => answerOf(one) ?? [])
    const fresh = answers.filter(({ request }) => !told.current.has(keyOf(request)))
    if (!runtime || fresh.length === 0) return
    const tell = (some: readonly RuntimeAnswer[]) => {
      for (const { request } of some) told.current.set(keyOf(request), 'told')
      Promise.resolve()
        .then(() => runtime.answer(some))
        .catch(() => {
          for (const { request } of some) told.current.set(keyOf(request), 'failed')
          render()
        })
    }
    if (runtime.takes !== 'all') for (const one of fresh) tell([one])
    else if (answers.length === found.length) tell(answers)
  })
  return {
    stateOf: (one: RuntimeRequest) => told.current.get(keyOf(one)) ?? 'waiting',
    answer(one: RuntimeRequest, approved: boolean) {
      if (said.current.has(keyOf(one))) return
      said.current.set(keyOf(one), { approved })
      render()
    },
    tellAgain(one: RuntimeRequest) {
      if (told.current.get(keyOf(one)) === 'failed') told.current.delete(keyOf(one))
      render()
    },
  }
}

const keyOf = (one: RuntimeRequest) => JSON.stringify(one)

const saidOf = (request: AgentRequest | undefined): Said | undefined =>
  request && request.state !== 'waiting'
    ? { approved: request.state === 'approved', ...(request.reason !== undefined && { reason: request.reason }) }
    : undefined
