import { useAgUiInterrupts, useAgUiSubmitInterruptResponses } from '@assistant-ui/react-ag-ui'
import { useAISDKChat } from '@assistant-ui/react-ai-sdk'
import { useLangGraphInterruptState, useLangGraphSendCommand } from '@assistant-ui/react-langgraph'
import { agUi } from '@latchkey/core/runtimes/ag-ui'
import { type AiSdkChat, aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import { langGraph } from '@latchkey/core/runtimes/langgraph'
import type { AgentRuntime } from '@latchkey/core/runtimes/requests'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

const Waiting = ({ runtime }: { runtime: AgentRuntime }) =>
  useRequests(runtime).map((request) => <RuntimePrompt key={request.id} request={request} />)

/** In a thread of `useChatRuntime`, which has `sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses`. */
export function WaitingOverAiSdk() {
  const chat: AiSdkChat | undefined = useAISDKChat()
  return chat && <Waiting runtime={aiSdk(chat)} />
}

/** In a thread of `useAgUiRuntime`. */
export function WaitingOverAgUi() {
  const pendingInterrupts = useAgUiInterrupts()
  const submit = useAgUiSubmitInterruptResponses()
  return <Waiting runtime={agUi({ pendingInterrupts, runAgent: ({ resume }) => submit(resume) })} />
}

/** In a thread of `useLangGraphRuntime`, which shows the interrupts of a checkpoint one by one. */
export function WaitingOverLangGraph() {
  const interrupt = useLangGraphInterruptState()
  const send = useLangGraphSendCommand()
  const runtime = langGraph({
    interrupts: interrupt ? [interrupt] : [],
    // Its type says a text. The graph gets what is sent.
    respondAll: (resume) => send({ resume: resume as unknown as string }),
  })
  return <Waiting runtime={runtime} />
}
