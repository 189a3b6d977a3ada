import { type ChatWithPauses, RequestCard, usePausedCalls } from '@latchkey/react/agents'

/** What a chat waits for, also after a reload. With an answer, given here or anywhere, it goes on by itself. */
export const PausedCalls = ({ chat }: { chat: ChatWithPauses }) =>
  usePausedCalls(chat).map(({ approvalId, asked }) => asked && <RequestCard key={approvalId} request={asked} />)
