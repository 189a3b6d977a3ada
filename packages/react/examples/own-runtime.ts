import { type AgentRuntime, type Resume, readNeed, resumeOf } from '@latchkey/core/runtimes/requests'

/** What your own runtime has: the pauses of a run, each with what a tool has thrown, and a way to go on. */
export interface OwnRun {
  pauses: readonly { id: string; need: unknown }[]
  resume(answers: Record<string, Resume>): Promise<void>
}

/** The same for `useRequests`: what waits, and how it is answered. */
export const ownRuntime = (run: OwnRun): AgentRuntime => ({
  takes: 'all',
  find: () =>
    run.pauses.flatMap(({ id, need }) => {
      const read = readNeed(need)
      return read ? [{ ...read, id }] : []
    }),
  answer: (answers) => run.resume(Object.fromEntries(answers.map((one) => [one.request.id, resumeOf(one)]))),
})
