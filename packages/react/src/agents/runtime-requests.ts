'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import type { AgentRuntime, RuntimeAnswer, RuntimeRequest } from '@latchkey/core/runtimes/requests'
import { useQueries } from '@tanstack/react-query'
import { useEffect, useReducer, useRef, useState } from 'react'
import { OPTIONS, PACE, useOverseen, useRequestsQuery } from './oversight.tsx'

/** Something that a runtime waits for, and how its person answers. */
export type PausedRequest = RuntimeRequest & {
  /** What the person is asked about a call. Absent until it is known, and for a request that is not this person's. */
  asked?: AgentRequest
  /** `answered`: the runtime is told, and goes on, or waits for its other answers. `failed`: it could not be told. */
  state: 'waiting' | 'answered' | 'failed'
  /** Answers for an account or a page, once it is there or the person does without it. A call is answered by its `AgentRequest`. */
  answer(approved: boolean): void
  /** Tells the runtime that the person has opened the page. They are not back yet. */
  visit(): void
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
  const { stateOf, answer, tellAgain } = useTelling(runtime, found, asked)
  if (!runtime) return waiting ?? NOTHING
  return found.map((one): PausedRequest => {
    const request = asked.get(one.id)
    return {
      ...{ ...one, ...(request && { asked: request }), state: stateOf(one) },
      answer: (approved) => answer(one, approved),
      visit: () => runtime.visit?.(one),
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
      const one = waiting?.find((other) => other.id === request) ?? asked[at]?.data
      return one ? [[id, one]] : []
    }),
  )
}

/** Tells a runtime of the answers that are there, each of them once. */
function useTelling(
  runtime: AgentRuntime | undefined,
  found: readonly RuntimeRequest[],
  asked: ReadonlyMap<string, AgentRequest>,
) {
  /** What was said here of an account or a page, by its key: a runtime may ask something else under the same id. */
  const [said, setSaid] = useState(NOTHING_SAID)
  const [failed, setFailed] = useState(NOTHING_FAILED)
  // What was told is no longer found with the next render of the runtime, which may be later than the next of ours.
  const told = useRef(new Set<string>())
  /** Keys of what the runtime is being told. Some runtimes list nothing until that has ended. */
  const underWay = useRef(new Set<string>())

  const answerOf = (request: RuntimeRequest): RuntimeAnswer | undefined => {
    const known = asked.get(request.id)
    if (known) return answered(request, known)
    const approved = said.get(keyOf(request))
    return approved === undefined ? undefined : { request, approved }
  }
  useEffect(() => {
    // What it no longer waits for may be asked again later.
    const keys = new Set([...found.map(keyOf), ...underWay.current])
    for (const key of told.current) if (!keys.has(key)) told.current.delete(key)
    if ([...said.keys()].some((key) => !keys.has(key))) setSaid(new Map([...said].filter(([key]) => keys.has(key))))

    const answers = found.flatMap((one) => answerOf(one) ?? [])
    const isFresh = (key: string) => !told.current.has(key) && !failed.has(key)
    const fresh = answers.filter(({ request }) => isFresh(keyOf(request)))
    if (!runtime || fresh.length === 0) return
    const tell = (some: readonly RuntimeAnswer[]) => {
      const these = some.map(({ request }) => keyOf(request))
      for (const key of these) {
        told.current.add(key)
        underWay.current.add(key)
      }
      Promise.resolve()
        .then(() => runtime.answer(some))
        .catch(() => setFailed((all) => new Set([...all, ...these])))
        .finally(() => {
          for (const key of these) underWay.current.delete(key)
        })
    }
    if (runtime.takes !== 'all') for (const one of fresh) tell([one])
    else if (answers.length === found.length) tell(answers)
  })
  return {
    stateOf: (one: RuntimeRequest) => (failed.has(keyOf(one)) ? 'failed' : answerOf(one) ? 'answered' : 'waiting'),
    answer(one: RuntimeRequest, approved: boolean) {
      if (!told.current.has(keyOf(one))) setSaid((all) => new Map(all).set(keyOf(one), approved))
    },
    tellAgain(one: RuntimeRequest) {
      if (!failed.has(keyOf(one))) return
      told.current.delete(keyOf(one))
      setFailed((all) => new Set([...all].filter((key) => key !== keyOf(one))))
    },
  } as const
}

const NOTHING_SAID: ReadonlyMap<string, boolean> = new Map()
const NOTHING_FAILED: ReadonlySet<string> = new Set()

const keyOf = (one: RuntimeRequest) => JSON.stringify(one)

const answered = (request: RuntimeRequest, { state, reason }: AgentRequest): RuntimeAnswer | undefined =>
  state === 'waiting' ? undefined : { request, approved: state === 'approved', ...(reason !== undefined && { reason }) }
