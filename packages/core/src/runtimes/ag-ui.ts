import { isObject } from '../json.ts'
import { type AgentRuntime, type Need, type RuntimeAnswer, readNeed, resumeOf } from './requests.ts'

/** An interrupt of AG-UI, as far as it is read. */
interface Interrupt {
  id: string
  toolCallId?: string | undefined
  /** ISO 8601. */
  expiresAt?: string | undefined
  metadata?: unknown
}

/**
 * An `HttpAgent` of `@ag-ui/client`, as far as it is needed, or what a hook of another library says of one. A hook renders its page
 * again by itself, and lists nothing while a run goes on.
 */
export interface AgUiAgent {
  readonly pendingInterrupts: readonly Interrupt[]
  readonly isRunning?: boolean
  runAgent(parameters: { resume: ResumeEntry[] }): unknown
  subscribe?(subscriber: { onRunInitialized(): void; onRunFinalized(): void; onRunFailed(): void }): {
    unsubscribe(): void
  }
}

interface ResumeEntry {
  interruptId: string
  status: 'resolved' | 'cancelled'
  payload?: unknown
}

/**
 * What an agent of AG-UI waits for: an interrupt with what a tool needs in its `metadata`, or in a member `connect` of it. All
 * interrupts of a thread are answered in one run, since AG-UI refuses a run that leaves one open.
 *
 * ```tsx
 * const requests = useRequests(agUi(agent))
 * // CopilotKit begins runs itself, with the page's tools:
 * const requests = useRequests(agUi(agent, (parameters) => copilotkit.runAgent({ agent, ...parameters })))
 * ```
 *
 * @param run begins the run that goes on. @default `agent.runAgent`
 */
export const agUi = (
  agent: AgUiAgent,
  run: AgUiAgent['runAgent'] = (parameters) => agent.runAgent(parameters),
): AgentRuntime => ({
  takes: 'all',
  find: () =>
    // While a run goes on, what it was resumed with is still listed.
    (agent.isRunning ? [] : agent.pendingInterrupts).flatMap(({ id, toolCallId, metadata }) => {
      const need = needOf(metadata)
      return need ? [{ ...need, id, ...(toolCallId !== undefined && { toolCallId }) }] : []
    }),
  answer: (answers) => run({ resume: answers.map((one) => entryOf(one, agent.pendingInterrupts)) }),
  subscribe: (listener) => {
    const stop = agent.subscribe?.({ onRunInitialized: listener, onRunFinalized: listener, onRunFailed: listener })
    return () => stop?.unsubscribe()
  },
})

const needOf = (metadata: unknown): Need | null =>
  isObject(metadata) ? (readNeed(metadata) ?? readNeed(metadata.connect)) : null

/** One that has ended can only be cancelled. */
function entryOf(answer: RuntimeAnswer, interrupts: readonly Interrupt[]): ResumeEntry {
  const { id } = answer.request
  const expiresAt = interrupts.find((one) => one.id === id)?.expiresAt
  const hasEnded = expiresAt !== undefined && Date.parse(expiresAt) <= Date.now()
  return hasEnded
    ? { interruptId: id, status: 'cancelled' }
    : { interruptId: id, status: 'resolved', payload: resumeOf(answer) }
}
