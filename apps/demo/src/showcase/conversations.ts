import { Chat } from '@ai-sdk/react'
import type { LatchkeyClient } from '@latchkey/core'
import { isMcp } from '@latchkey/core/mcp'
import { identitiesBody } from '@latchkey/core/runtimes/ai-sdk'
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai'
import { chatPath, newChatPath } from '../agent.ts'
import type { AgentMessage } from './agent-message.ts'
import type { DemoAgent } from './agents.ts'
import { tabStorage } from './tab-storage.ts'

/** Characters of messages that are kept. */
const MOST = 200_000

/** A conversation with an agent. It outlives a reload in its tab. */
export interface Conversation {
  chat: Chat<AgentMessage>
  /** The page was left in the middle of an answer. */
  wasCut: boolean
  /** Keeps what was said so far. No message holds a secret. */
  keep: () => void
}

interface Kept {
  person: string
  /** Its id at the server, which has given it. */
  id?: string | undefined
  messages: AgentMessage[]
  isCut: boolean
}

interface ConversationOptions {
  client: LatchkeyClient
  /** Whose conversation it is. Nobody else is shown it. */
  person: string
  agent: DemoAgent
}

/** Opens the conversation that was kept, or another one. */
export function openConversation(options: ConversationOptions, { isNew = false } = {}): Conversation {
  const { client, person, agent } = options
  const key = `demo:chat:${agent.id}`
  const kept = isNew ? undefined : read(key, person)
  let id = kept?.id
  // A function, so that every request gets fresh tokens.
  const identities = identitiesBody(client, { agent: agent.id })
  const body = async () => {
    id ??= await startChat(agent.id)
    // Only URL and name: a server must not run a command that a page names.
    const mcpServers = client.providers.filter(isMcp).map(({ id, name, mcp: { url } }) => ({ id, name, url }))
    return { ...(await identities()), chat: id, mcpServers }
  }
  const chat = new Chat<AgentMessage>({
    messages: kept?.messages ?? [],
    transport: new DefaultChatTransport({ api: chatPath(agent.id), body }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  })
  let isCut = kept?.isCut ?? false
  let wasBusy = false
  const keep = () => {
    const isBusy = chat.status === 'submitted' || chat.status === 'streaming'
    // One that was cut stays so until it is given again.
    isCut = isBusy || (isCut && !wasBusy)
    wasBusy = isBusy
    tabStorage.write(key, JSON.stringify({ person, id, messages: lastOf(chat.messages), isCut } satisfies Kept))
  }
  return { chat, wasCut: isCut, keep }
}

async function startChat(agent: string): Promise<string> {
  const response = await fetch(newChatPath(agent), { method: 'POST' })
  if (!response.ok) throw new Error(`No chat was started: ${response.status}.`)
  return (await response.json()).chat
}

/** The last messages, as many as are kept. */
function lastOf(messages: AgentMessage[]): AgentMessage[] {
  let left = MOST
  const tooMuch = messages.findLastIndex((message) => {
    left -= JSON.stringify(message).length
    return left < 0
  })
  return messages.slice(tooMuch + 1)
}

function read(key: string, person: string): Kept | undefined {
  try {
    const kept: Kept | null = JSON.parse(tabStorage.read(key) ?? 'null')
    return kept?.person === person ? kept : undefined
  } catch {
    return undefined
  }
}
