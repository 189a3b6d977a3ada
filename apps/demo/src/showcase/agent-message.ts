import type { UIMessage } from 'ai'
import type { AgentTools } from './server/tools.ts'

/** A chat message whose tool parts have the types of the server's tools. */
export type AgentMessage = UIMessage<unknown, never, AgentTools>
