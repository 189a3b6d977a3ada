import { Role, TaskState } from '@a2a-js/sdk'
import { AgentEvent, type AgentExecutor } from '@a2a-js/sdk/server'
import type { VaultBroker } from '@latchkey/server'
import { answersIn, pausedStatus } from '@latchkey/server/runtimes/a2a'
import { answeredBy, isNeed, orPause } from '@latchkey/server/runtimes/pause'
import { createIssue } from './create-issue.ts'

/** An agent of A2A. `personOf`: whom a request comes from. `accountsOf`: the accounts of theirs that it may use. */
export const createExecutor = (
  broker: VaultBroker<string>,
  personOf: (context: object) => string,
  accountsOf: (person: string) => { provider: string; accountId: string }[],
): AgentExecutor => ({
  async execute(asked, bus) {
    const { taskId, contextId, userMessage, task } = asked
    const status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined }
    const begun = { id: taskId, contextId, status, artifacts: [], history: [userMessage], metadata: undefined }
    bus.publish(AgentEvent.task(task ?? begun))
    const person = personOf(asked)
    const body = { connectedAccounts: accountsOf(person) }
    // All messages of a task are one turn.
    const { context } = await broker.agentContext(person, body, { agent: 'assistant', run: taskId })
    const execute = orPause(createIssue, answeredBy(answersIn(userMessage)))
    const outcome = await context
      .run(() => execute({ repo: 'octocat/hello-world', title: 'Hello' }, { toolCallId: taskId }))
      .catch((error: Error) => error)
    const paused = isNeed(outcome) ? pausedStatus([outcome], { contextId, taskId }) : undefined
    const said = outcome instanceof Error ? outcome.message : outcome
    const message = {
      ...{ messageId: crypto.randomUUID(), contextId, taskId, role: Role.ROLE_AGENT, metadata: undefined },
      ...{ extensions: [], referenceTaskIds: [] },
      parts: [{ content: { $case: 'text' as const, value: said }, metadata: undefined, filename: '', mediaType: '' }],
    }
    const done = { state: TaskState.TASK_STATE_COMPLETED, message, timestamp: undefined }
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: paused ?? done, metadata: undefined }))
    bus.finished()
  },
  async cancelTask() {},
})
