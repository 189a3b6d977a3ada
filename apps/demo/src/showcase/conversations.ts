import { Chat } from '@ai-sdk/react'
import type { LatchkeyClient } from '@latchkey/core'
import { isMcp } from '@latchkey/core/mcp'
import { identitiesBody } from '@latchkey/core/runtimes/ai-sdk'
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai'
import { chatPath } from '../agent.ts'
import type { AgentMessage } from './agent-message.ts'
import { AGENTS } from './agents.ts'

/** The conversations with all agents, by agent id. An answer goes on while another agent is talked to. */
export const createConversations = (client: LatchkeyClient): ReadonlyMap<string, Chat<AgentMessage>> =>
  new Map(
    AGENTS.map(({ id: agent }) => {
      // A function, so that every request gets fresh tokens.
      const identities = identitiesBody(client, { agent })
      // Only URL and name: a server must not run a command that a page names.
      const body = async () => ({
        ...(await identities()),
        mcpServers: client.providers.filter(isMcp).map(({ id, name, mcp: { url } }) => ({ id, name, url })),
      })
      const transport = new DefaultChatTransport<AgentMessage>({ api: chatPath(agent), body })
      const sendAutomaticallyWhen = lastAssistantMessageIsCompleteWithApprovalResponses
      return [agent, new Chat<AgentMessage>({ transport, sendAutomaticallyWhen })]
    }),
  )
