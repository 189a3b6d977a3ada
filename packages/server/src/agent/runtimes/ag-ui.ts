import { isNeed, type PauseNeed } from './pause.ts'

/** An interrupt of AG-UI, for the `outcome` of `RUN_FINISHED`. */
export interface AgUiInterrupt {
  id: string
  reason: string
  message: string
  toolCallId?: string
  metadata: PauseNeed
}

/**
 * What a run of AG-UI ends with where a tool needs something of its person: `AuthorizationRequired` or `ApprovalRequired`, which
 * `withAccount` throws, as an interrupt. Null for anything else.
 *
 * ```ts
 * const interrupt = interruptOf(error)
 * if (interrupt) send({ type: 'RUN_FINISHED', threadId, runId, outcome: { type: 'interrupt', interrupts: [interrupt] } })
 * ```
 *
 * The page shows it with `agUi` of `@latchkey/core/runtimes/ag-ui`. The run that resumes calls the tool again, as
 * `orPause(execute, answeredBy(resume.map(({ payload }) => payload)))`: what was done before is not done twice if it passes the same
 * `run` to `broker.agentContext`.
 *
 * @param toolCallId the call that needs it
 */
export function interruptOf(error: unknown, toolCallId?: string): AgUiInterrupt | null {
  if (!isNeed(error)) return null
  const metadata = error.toJSON()
  return {
    id: crypto.randomUUID(),
    reason: `connected-accounts:${metadata.type}`,
    message: error.message,
    ...(toolCallId !== undefined && { toolCallId }),
    metadata,
  }
}
