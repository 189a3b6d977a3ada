import { type AgentRuntime, readNeed, resumeOf } from './requests.ts'

/** What `useStream` of `@langchain/react` returns, as far as it is needed. */
export interface LangGraphStream {
  readonly interrupts: readonly { id?: string; value?: unknown }[]
  respondAll(responses: Record<string, unknown>): unknown
}

/**
 * What a run of LangGraph waits for: an `interrupt` whose value is what a tool needs. All interrupts of a checkpoint are answered
 * in one command, since the first answer begins a run that forgets the others.
 *
 * ```tsx
 * const requests = useRequests(langGraph(useStream({ client, assistantId })))
 * ```
 */
export const langGraph = (stream: LangGraphStream): AgentRuntime => ({
  takes: 'all',
  find: () =>
    stream.interrupts.flatMap(({ id, value }) => {
      const need = id !== undefined && readNeed(value)
      return need ? [{ ...need, id }] : []
    }),
  answer: (answers) => stream.respondAll(Object.fromEntries(answers.map((one) => [one.request.id, resumeOf(one)]))),
})
