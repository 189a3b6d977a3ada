import { type AdkAnswer, type AdkEvent, adk } from '@latchkey/core/runtimes/adk'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'
import { useState } from 'react'

/** A message of the person: a question, or the answers to what waits. */
type Message = { role: 'user'; parts: { text: string }[] } | AdkAnswer

/** The events of a session of ADK. `run` posts a message to the server, whose run answers with its events. */
export function useSession(
  run: (newMessage: Message) => Promise<readonly AdkEvent[]>,
  before: readonly AdkEvent[] = [],
) {
  const [events, setEvents] = useState(before)
  const send = async (newMessage: Message) => {
    const answered = await run(newMessage)
    setEvents((all) => [...all, { content: newMessage }, ...answered])
  }
  return { events, send }
}

/** What an agent of ADK waits for. */
export const Waiting = ({ session }: { session: ReturnType<typeof useSession> }) =>
  useRequests(adk(session)).map((request) => <RuntimePrompt key={request.id} request={request} />)
