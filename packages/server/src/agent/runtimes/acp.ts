import type { AgentContext } from '../context.ts'
import { orPause, type PauseNeed } from './pause.ts'

/** The parameters of `session/request_permission`, as a tool asks with them. */
export interface AcpPermission {
  sessionId: string
  toolCall: { toolCallId: string; title: string }
  options: { optionId: string; name: string; kind: 'allow_once' | 'reject_once' }[]
  /** What is needed, for a client that has a card for it. Others show the title and the options. */
  _meta: { 'latchkey/need': PauseNeed }
}

/** What a client answers. */
interface AcpAnswer {
  outcome: { outcome: 'selected'; optionId: string } | { outcome: 'cancelled' }
}

/** What a tool is called with in an agent of ACP. */
export interface AcpCall {
  sessionId: string
  toolCallId: string
}

const OPTIONS: AcpPermission['options'] = [
  { optionId: 'go-on', name: 'Continue', kind: 'allow_once' },
  { optionId: 'without', name: 'Not now', kind: 'reject_once' },
]

/**
 * Asks the client of an ACP agent where a tool needs something of its person, by ACP's own request for a permission. The agent goes on
 * when it is answered.
 *
 * ```ts
 * const ask = (params) => ctx.client.request(methods.client.session.requestPermission, params)
 * const open = async () => (await broker.agentContext(person, body, { agent, run })).context
 * const send = orPermission(withAccount(declared, async (input, account) => { … }), ask, open)
 * await send(input, { sessionId, toolCallId })
 * ```
 *
 * The page shows it with `acp` of `@latchkey/core/runtimes/acp`. A client that does not know this kit shows its title, and that the
 * person has answered lets the agent try again: the call is made by the yes that the broker has.
 *
 * @param execute the function that `withAccount` returns, or the `execute` of an MCP server or a skill
 * @param ask sends `session/request_permission`
 * @param open makes the context of each try, since an account may come while the client is asked
 * @see https://agentclientprotocol.com/protocol/v1/tool-calls#requesting-permission
 */
export const orPermission = <Input, Output>(
  execute: (input: Input, options: AcpCall) => Promise<Output>,
  ask: (permission: AcpPermission) => Promise<AcpAnswer>,
  open: () => Promise<Pick<AgentContext, 'run'>>,
): ((input: Input, options: AcpCall) => Promise<Output>) =>
  orPause(
    execute,
    async (need, { sessionId, toolCallId }) => {
      const title = need.message ?? `This needs ${need.provider}.`
      const { outcome } = await ask({
        ...{ sessionId, toolCall: { toolCallId, title }, options: OPTIONS },
        _meta: { 'latchkey/need': need },
      })
      return { approved: outcome.outcome === 'selected' && outcome.optionId === 'go-on' }
    },
    open,
  )
