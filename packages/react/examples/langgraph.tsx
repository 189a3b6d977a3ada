import { type LangGraphStream, langGraph } from '@latchkey/core/runtimes/langgraph'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

/** What a run of LangGraph waits for. `stream` is what `useStream` of `@langchain/react` returns. */
export const Waiting = ({ stream }: { stream: LangGraphStream }) =>
  useRequests(langGraph(stream)).map((request) => <RuntimePrompt key={request.id} request={request} />)
