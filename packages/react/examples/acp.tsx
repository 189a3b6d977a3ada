import { type AcpRequest, acp } from '@latchkey/core/runtimes/acp'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

/**
 * What an agent of ACP waits for. `permissions`: the requests that the client's handler of `session/request_permission` has put into
 * the state of the page, each with the function that resolves its promise.
 */
export const Waiting = ({ permissions }: { permissions: readonly AcpRequest[] }) =>
  useRequests(acp(permissions)).map((request) => <RuntimePrompt key={request.id} request={request} />)
