import { type A2aTask, a2a } from '@latchkey/core/runtimes/a2a'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

interface WaitingProps {
  /** The task as it is now. */
  task: A2aTask | undefined
  /** Sends a message of the task, with each of these as a data part. */
  send(data: readonly object[]): Promise<unknown>
}

/** What a task of A2A waits for. */
export const Waiting = ({ task, send }: WaitingProps) =>
  useRequests(a2a({ task, send })).map((request) => <RuntimePrompt key={request.id} request={request} />)
