import { type AgUiAgent, agUi } from '@latchkey/core/runtimes/ag-ui'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

/** What a thread of AG-UI waits for. `agent`: an `HttpAgent` of `@ag-ui/client`, made once. */
export const Waiting = ({ agent }: { agent: AgUiAgent }) =>
  useRequests(agUi(agent)).map((request) => <RuntimePrompt key={request.id} request={request} />)
