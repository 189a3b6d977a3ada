// `@latchkey/react/agents`: how a person sees, limits, approves and stops what agents do with accounts.

export { AccountAccess, type AccountAccessProps, AgentAccess, type AgentAccessProps } from './agents/access.tsx'
export type { AccessPreviewProps } from './agents/access-preview.lazy.tsx'
export { AccessPreview } from './agents/access-preview.tsx'
export { type AccessWords, useAccessWords } from './agents/access-words.ts'
export { Activity, type ActivityProps } from './agents/activity.tsx'
export {
  type OversightProviderProps,
  type UseActivity,
  type UseActivityOptions,
  type UseAgentRules,
  type UseRequest,
  useActivity,
  useAgentMessages,
  useAgentRules,
  useAgents,
  useOversight,
  useRequest,
} from './agents/oversight.tsx'
export { OversightProvider } from './agents/oversight-provider.tsx'
export { Readiness } from './agents/readiness.tsx'
export type { ReadinessProps } from './agents/readiness-facts.ts'
export { RequestCard, type RequestCardProps } from './agents/request-card.tsx'
export { RequestsInbox, type RequestsInboxProps } from './agents/requests-inbox.tsx'
export { RuntimePrompt, type RuntimePromptProps } from './agents/runtime-prompt.tsx'
export { type PausedRequest, useRequests } from './agents/runtime-requests.ts'
export { StopButton, type StopButtonProps } from './agents/stop-button.tsx'
export type { AgentMessageOverrides, AgentMessages } from './messages/agents.ts'
