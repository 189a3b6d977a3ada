import { type AgentRuntime, readNeed, resumeOf } from './requests.ts'

/** An interrupt of TanStack AI, as far as it is read. */
interface Interrupt {
  id: string
  status: string
  metadata?: Readonly<Record<string, unknown>>
  /** Absent: it is not the chat's to answer. */
  resolveInterrupt?(response: unknown): void
}

/** What `useChat` of `@tanstack/ai-react` and of its siblings returns, as far as it is needed. */
export interface TanStackChat {
  readonly interrupts: readonly Interrupt[]
}

/**
 * What a chat of TanStack AI waits for: an interrupt that `pauseFor` of `@latchkey/server/runtimes/tanstack-ai` has made. TanStack
 * collects the answers, and sends them when all interrupts have theirs. It keeps answers that could not be sent: show a button
 * that calls its `retryInterrupts`.
 *
 * ```tsx
 * const requests = useRequests(tanStackAi(useChat({ connection })))
 * ```
 */
export const tanStackAi = (chat: TanStackChat): AgentRuntime => ({
  find: () =>
    chat.interrupts.flatMap(({ id, status, metadata, resolveInterrupt }) => {
      // One that failed is answered already.
      const need = resolveInterrupt && status !== 'error' && readNeed(metadata?.['tanstack:interruptPayload'])
      return need ? [{ ...need, id }] : []
    }),
  answer: (answers) => {
    for (const one of answers)
      chat.interrupts.find(({ id }) => id === one.request.id)?.resolveInterrupt?.(resumeOf(one))
  },
})
