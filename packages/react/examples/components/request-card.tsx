import { RequestCard, useRequests } from '@latchkey/react/agents'

export function AskedInChat({ agent }: { agent: string }) {
  const requests = useRequests().filter((request) => request.agent === agent)
  return requests.map((request) => <RequestCard key={request.id} request={request} />)
}
