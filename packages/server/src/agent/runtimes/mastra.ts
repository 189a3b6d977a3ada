import { isObject } from '@latchkey/core/server'
import { isSameNeed, orPause, type PauseNeed } from './pause.ts'

/** What Mastra calls a tool of an agent with, as far as it is read. */
interface ToolContext {
  agent?: {
    toolCallId: string
    suspend(need: PauseNeed): Promise<void>
    /** What it was suspended with, and what it was resumed with. */
    suspendPayload?: unknown
    resumeData?: unknown
  }
  /** All else. Where Mastra does not know the type of its context, it still fits. */
  [member: string]: unknown
}

/**
 * Suspends an agent of Mastra where a tool needs something of its person, by Mastra's own `suspend`. For an agent of a Mastra that has
 * a storage:
 *
 * ```ts
 * const createIssue = createTool({ id, description, inputSchema, execute: orSuspend(withAccount(declared, async (input, account) => { … })) })
 * const result = await context.run(() => agent.generate(question, { memory }))
 * // Its page gets what it waits for: result.runId and result.suspendPayload.
 * await context.run(() => agent.resumeGenerate(answer, { runId, toolCallId }))
 * ```
 *
 * An answer only wakes the run: the call is made by the yes that the broker has. Mastra keeps the request's context with the run: put the
 * id of the person into it, never a token.
 *
 * @param execute the function that `withAccount` returns, or the `execute` of an MCP server or a skill
 */
export const orSuspend =
  <Input, Output>(execute: (input: Input, options: { toolCallId?: string }) => Promise<Output>) =>
  async (input: Input, { agent }: ToolContext): Promise<Output | undefined> => {
    let isSuspended = false
    const paused = orPause(execute, async (need) => {
      if (!agent) return undefined
      // Without the account it goes on. All else is still needed: the answer was to another call, or nobody has answered.
      const { suspendPayload, resumeData } = agent
      if (isObject(resumeData) && resumeData.approved === false && isSameNeed(need, suspendPayload)) {
        if (need.type === 'authorization_required') return resumeData
      }
      isSuspended = true
      await agent.suspend(need)
      return undefined
    })
    const options = agent ? { toolCallId: agent.toolCallId } : {}
    return paused(input, options).catch((error: unknown) => {
      // What a suspended tool answers is not read.
      if (isSuspended) return undefined
      throw error
    })
  }
