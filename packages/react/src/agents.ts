// `@latchkey/react/agents`: how a person sees, limits, approves and stops what agents do with accounts.

export { AccountAccess, type AccountAccessProps, AgentAccess, type AgentAccessProps } from './agents/access.tsx'
export { Activity, type ActivityProps } from './agents/activity.tsx'
export {
  OversightProvider,
  type OversightProviderProps,
  type UseActivity,
  type UseActivityOptions,
  type UseAgentRules,
  useActivity,
  useAgentMessages,
  useAgentRules,
  useAgents,
  useOversight,
  useRequests,
} from './agents/oversight.tsx'
export { RequestCard, type RequestCardProps } from './agents/request-card.tsx'
export { RequestsInbox, type RequestsInboxProps } from './agents/requests-inbox.tsx'
export { StopButton, type StopButtonProps } from './agents/stop-button.tsx'
export type { AgentMessageOverrides, AgentMessages } from './messages/agents.ts'
