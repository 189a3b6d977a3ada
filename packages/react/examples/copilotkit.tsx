import { type AgUiAgent, agUi } from '@latchkey/core/runtimes/ag-ui'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

interface Properties<Agent> {
  /** `agent` of CopilotKit's `useAgent`. */
  agent: Agent
  /** `copilotkit` of CopilotKit's `useCopilotKit`. */
  copilotkit: { runAgent(parameters: { agent: Agent } & Parameters<AgUiAgent['runAgent']>[0]): unknown }
}

/** What an agent of CopilotKit waits for. */
export const Waiting = <Agent extends AgUiAgent>({ agent, copilotkit }: Properties<Agent>) =>
  // CopilotKit begins the run that goes on, with the page's tools.
  useRequests(agUi(agent, (parameters) => copilotkit.runAgent({ agent, ...parameters }))).map((request) => (
    <RuntimePrompt key={request.id} request={request} />
  ))
