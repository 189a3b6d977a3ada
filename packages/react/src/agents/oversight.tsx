'use client'
import { LatchkeyError } from '@latchkey/core'
import type {
  Activity,
  Agent,
  AgentRequest,
  Answer,
  LastUse,
  LogVerdict,
  Oversight,
  PersonRules,
  RuleChange,
  StopReceipt,
  StopTarget,
} from '@latchkey/core/agents'
import { withEndings } from '@latchkey/core/agents'
import { type QueryKey, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { type AgentMessageOverrides, type AgentMessages, agentEnglish } from '../messages/agents.ts'
import { layOver, useFirstMessages } from '../use-first-messages.ts'
import { createFollowing, type Following } from './following.ts'

/** What an `OversightProvider` gives to all below it. */
interface Overseen {
  oversight: Oversight
  /** What the keys of all queries about it begin with. */
  key: QueryKey
  following: Following
  /** Absent while they are on their way. */
  words: AgentMessages | undefined
}

const OversightContext = /* @__PURE__ */ createContext<Overseen | undefined>(undefined)

const LANGUAGES: Readonly<Record<string, () => Promise<{ words: AgentMessages }>>> = {
  ar: () => import('../messages/agents.ar.lazy.ts'),
  de: () => import('../messages/agents.de.lazy.ts'),
  es: () => import('../messages/agents.es.lazy.ts'),
  fr: () => import('../messages/agents.fr.lazy.ts'),
  ja: () => import('../messages/agents.ja.lazy.ts'),
}
const spoken = new Map<string, AgentMessages>()

/** The words in a language of ours: English for every other one, undefined until they are here. */
function useWordsOf(locale: string | undefined): AgentMessages | undefined {
  const language = locale?.split('-', 1)[0] ?? ''
  const isOurs = Object.hasOwn(LANGUAGES, language)
  const [got, setGot] = useState(() => ({ language, words: spoken.get(language) }))
  const words = got.language === language ? got.words : undefined
  useEffect(() => {
    if (!isOurs || words) return
    let wanted = true
    const give = (words: AgentMessages) => wanted && setGot({ language, words })
    LANGUAGES[language]?.().then(
      ({ words }) => {
        spoken.set(language, words)
        give(words)
      },
      () => give(agentEnglish),
    )
    return () => {
      wanted = false
    }
  }, [language, isOurs, words])
  return isOurs ? words : agentEnglish
}

/** Two persons' rules must not meet in one cache, so each `Oversight` has a name there. */
const names = new WeakMap<Oversight, number>()
let count = 0
function nameOf(oversight: Oversight): number {
  const name = names.get(oversight) ?? ++count
  names.set(oversight, name)
  return name
}

/** Props of {@link OversightProvider}. */
export interface OversightProviderProps {
  /** Where rules, requests and activity come from. Make it once for each person: a new one is asked for everything anew. */
  oversight: Oversight
  /** Words to use in place of ours. Ours are in the language of the `LatchkeyProvider`'s `messages`. */
  messages?: AgentMessageOverrides
  children?: ReactNode
}

/** The provider without what it adds to dialogs: those parts need the hooks of this file. */
export function Overseeing({ oversight, messages, children }: OversightProviderProps) {
  const ours = useWordsOf(useFirstMessages().locale)
  const queries = useQueryClient()
  const followed = useMemo(() => {
    const key = ['latchkey', 'oversight', nameOf(oversight)]
    return { oversight, key, following: createFollowing(oversight, queries, key) }
  }, [oversight, queries])
  const overseen = useMemo(
    () => ({ ...followed, words: ours && messages ? (layOver(ours, messages) as AgentMessages) : ours }),
    [followed, messages, ours],
  )
  return <OversightContext.Provider value={overseen}>{children}</OversightContext.Provider>
}

/** What the nearest provider gives. @throws Error outside of one. */
export function useOverseen(): Overseen {
  const overseen = useContext(OversightContext)
  if (!overseen) {
    throw new Error(
      'Latchkey: no <OversightProvider> above. Put one inside of the <LatchkeyProvider>: <OversightProvider oversight={oversight}>.',
    )
  }
  return overseen
}

/**
 * The `Oversight` of the nearest {@link OversightProvider}.
 *
 * @throws Error outside of an OversightProvider.
 */
export function useOversight(): Oversight {
  return useOverseen().oversight
}

/** The sentences about what agents may do, in the reader's language. English until those are loaded. */
export function useAgentMessages(): AgentMessages {
  return useOverseen().words ?? agentEnglish
}

/** Whether the words are here. */
export const useHasWords = (): boolean => useOverseen().words !== undefined

// A person who looks wants what is so now, and one who is offline wants to be told.
export const OPTIONS = { networkMode: 'always', retry: false, refetchOnWindowFocus: 'always', staleTime: 0 } as const

/** How often is asked for what may change by itself, while the page is visible, in milliseconds. */
export const PACE = 3000
/** The same for what would be told anyway, or is a lot. */
const SLOW_PACE = 30_000

export function useAgentsQuery() {
  const { oversight, key } = useOverseen()
  return useQuery({ ...OPTIONS, queryKey: [...key, 'agents'], queryFn: () => oversight.agents() })
}

export function useRulesQuery() {
  const { oversight, key } = useOverseen()
  return useQuery({ ...OPTIONS, queryKey: [...key, 'rules'], queryFn: () => oversight.rules() })
}

export function useRequestsQuery() {
  const { oversight, key, following } = useOverseen()
  return useQuery({
    ...OPTIONS,
    queryKey: [...key, 'requests'],
    queryFn: () => oversight.requests(),
    // One that ends in silence is not told.
    refetchInterval: () => (following.isFollowing() ? SLOW_PACE : PACE),
  })
}

/** A request as it is now, once it no longer waits: it may have been answered in another tab. */
export function useRequestNow(request: AgentRequest, answered: boolean): AgentRequest {
  const { oversight, key } = useOverseen()
  const { data } = useRequestsQuery()
  const gone = data?.every(({ id }) => id !== request.id)
  const now = useQuery({
    ...OPTIONS,
    queryKey: [...key, 'request', request.id],
    queryFn: () => oversight.request(request.id),
    enabled: gone === true && !answered && request.state === 'waiting',
    // The list may be older than the request.
    refetchInterval: ({ state }) => (state.data && state.data.state !== 'waiting' ? false : PACE),
  })
  return now.data ?? request
}

const NO_AGENTS: readonly Agent[] = []

/** The agents of the app. Empty until they are known. */
export function useAgents(): readonly Agent[] {
  return useAgentsQuery().data ?? NO_AGENTS
}

/** What {@link useAgentRules} returns. */
export interface UseAgentRules {
  /** Absent until they are known. */
  rules: PersonRules | undefined
  /**
   * Changes what an agent may do.
   *
   * @throws LatchkeyError when nothing changed.
   */
  change: (change: RuleChange) => Promise<PersonRules>
}

/** What the person lets agents do, and how they change it. */
export function useAgentRules(): UseAgentRules {
  const { data } = useRulesQuery()
  const { mutateAsync } = useChange()
  return { rules: data, change: mutateAsync }
}

/** What {@link useRequest} returns. */
export interface UseRequest {
  /** Absent until it is known, and if it is not there for this person. */
  request: AgentRequest | undefined
  /** `absent`: it is somebody else's, or forgotten. Which of the two is not told. */
  status: 'loading' | 'ready' | 'absent' | 'failed'
  /** Asks again. */
  retry: () => void
}

/**
 * One request by its id, as a link carries it. The id is no right: only the person whom the request is for gets it, signed in to
 * the app, and looking at it changes nothing.
 */
export function useRequest(id: string): UseRequest {
  const { oversight, key } = useOverseen()
  const { data, error, refetch } = useQuery({
    ...OPTIONS,
    queryKey: [...key, 'request', id],
    queryFn: () => oversight.request(id),
  })
  const isAbsent = error instanceof LatchkeyError && ['access_denied', 'invalid_request'].includes(error.code)
  const request = isAbsent ? undefined : data
  const without = isAbsent ? 'absent' : error ? 'failed' : 'loading'
  return { request, status: request ? 'ready' : without, retry: () => void refetch() }
}

/** A change of a rule. What it answers with is what all components show from then on. */
export function useChange() {
  const { oversight, key } = useOverseen()
  const queries = useQueryClient()
  return useMutation<PersonRules, Error, RuleChange>({
    networkMode: 'always',
    mutationFn: (change) => oversight.change(change),
    onMutate: () => queries.cancelQueries({ queryKey: [...key, 'rules'] }),
    onSuccess: (rules) => {
      queries.setQueryData([...key, 'rules'], rules)
      // What is forbidden from now on waits no more.
      for (const name of ['requests', 'request']) void queries.invalidateQueries({ queryKey: [...key, name] })
    },
  })
}

/** An answer to a request. */
export function useAnswer() {
  const { oversight, key } = useOverseen()
  const queries = useQueryClient()
  return useMutation<AgentRequest, Error, { id: string; answer: Answer }>({
    networkMode: 'always',
    mutationFn: ({ id, answer }) => oversight.answer(id, answer),
    // Also after an error: it may have been answered elsewhere. A yes may have made a rule, and activity follows. Nobody
    // waits for that: a card that left the list before it was told its answer would be gone, and the focus with it.
    onSettled: () => void queries.invalidateQueries({ queryKey: key }),
  })
}

/** Stops, and starts again. */
export function useStop() {
  const { oversight, key } = useOverseen()
  const queries = useQueryClient()
  const onSettled = () => queries.invalidateQueries({ queryKey: key })
  const stop = useMutation<StopReceipt, Error, StopTarget>({
    networkMode: 'always',
    mutationFn: (target) => oversight.stop(target),
    onSettled,
  })
  const resume = useMutation<PersonRules, Error, StopTarget>({
    networkMode: 'always',
    mutationFn: (target) => oversight.resume(target),
    onSettled,
  })
  return { stop, resume }
}

/** What {@link useActivity} is about. */
export interface UseActivityOptions {
  /** Agent id. @default all agents */
  agent?: string | undefined
  /** Account id. @default all accounts */
  account?: string | undefined
}

/** What {@link useActivity} returns. */
export interface UseActivity {
  /** Newest first, as far as they are loaded. Each says how it ended. */
  uses: readonly Activity[]
  status: 'loading' | 'ready' | 'failed'
  /** Loads the next page. Absent when there is none. */
  more: (() => void) | undefined
  isLoadingMore: boolean
  /** Asks again. */
  retry: () => void
}

/** Uses on a page. */
const LIMIT = 20

const NOT_ON_A_SERVER = () => false

/**
 * What agents did with accounts, page by page. What is new comes by itself while the page is visible: it is told, or asked
 * for every few seconds.
 */
export function useActivity({ agent, account }: UseActivityOptions = {}): UseActivity {
  const { oversight, key, following } = useOverseen()
  const isFollowing = useSyncExternalStore(following.subscribe, following.isFollowing, NOT_ON_A_SERVER)
  const query = useInfiniteQuery({
    ...OPTIONS,
    queryKey: [...key, 'activity', { agent, account }],
    queryFn: ({ pageParam: before }) =>
      oversight.activity({
        limit: LIMIT,
        ...(before !== undefined && { before }),
        ...(agent !== undefined && { agent }),
        ...(account !== undefined && { account }),
      }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ next }) => next,
    refetchInterval: ({ state }) => !isFollowing && ((state.data?.pages.length ?? 0) > 1 ? SLOW_PACE : PACE),
  })
  const { data, status, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = query
  return {
    uses: useMemo(() => withEndings(data?.pages.flatMap(({ uses }) => uses) ?? []), [data]),
    status: status === 'pending' ? 'loading' : status === 'error' ? 'failed' : 'ready',
    more: hasNextPage ? () => void fetchNextPage() : undefined,
    isLoadingMore: isFetchingNextPage,
    retry: () => void refetch(),
  }
}

/** Checks the log. Absent where there is none to check. A check that nobody waits for any more is ended. */
export function useVerify() {
  const { oversight } = useOverseen()
  const end = useRef<AbortController>(undefined)
  useEffect(() => () => end.current?.abort(), [])
  const verify = useMutation<LogVerdict, Error, void>({
    networkMode: 'always',
    mutationFn: () => {
      end.current = new AbortController()
      return (oversight as Required<Oversight>).verify({ signal: end.current.signal })
    },
  })
  return oversight.verify && verify
}

const NO_USES: readonly LastUse[] = []

/** What was last used when. Undefined until it is known, and where nobody knows. */
export function useLastUses() {
  const { oversight, key } = useOverseen()
  return useQuery({
    ...OPTIONS,
    queryKey: [...key, 'last-uses'],
    queryFn: async () => (await oversight.lastUses?.()) ?? { uses: NO_USES },
    refetchInterval: SLOW_PACE,
  }).data
}

/** What to tell a person about an error. */
export function sentenceOf({ errors }: AgentMessages, error: Error): string {
  const code = error instanceof LatchkeyError ? error.code : 'other'
  return (Object.hasOwn(errors, code) && errors[code as keyof typeof errors]) || errors.other
}
