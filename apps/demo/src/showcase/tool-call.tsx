import { readConnectRequest } from '@latchkey/core'
import { isMcp } from '@latchkey/core/mcp'
import { Account, useLatchkey } from '@latchkey/react'
import type { DynamicToolUIPart, ToolUIPart } from 'ai'
import { useState } from 'react'
import { AccountNeeded } from './account-needed.tsx'
import type { AgentTools } from './server/tools.ts'

interface ToolCallProps {
  part: ToolUIPart<AgentTools> | DynamicToolUIPart
  onAccountReady: ((visitedPage?: string) => void) | undefined
}

/** A tool call: its tool, input, account and answer. */
export function ToolCall({ part, onAccountReady }: ToolCallProps) {
  const [open, setOpen] = useState(false)
  const { title, toolMetadata, state, input, output, errorText } = part
  const client = useLatchkey()
  // A page on this machine is shown only for a server that is configured on this machine.
  const server = client.providers.find(({ id }) => id === toolMetadata?.provider)
  const request = readConnectRequest(output, isMcp(server) ? { server: server.mcp.url } : {})
  const words = request ? (request.url ? WORDS.page : WORDS.waiting) : WORDS[state]
  // A tool with a service account has no provider of the page.
  const provider = typeof toolMetadata?.provider === 'string' ? toolMetadata.provider : undefined
  const call = (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {provider ? (
          <Account.Icon className="icon" />
        ) : (
          <span className="icon" aria-hidden="true">
            ⚙
          </span>
        )}
        <span className="tool-title">{title}</span>
        {provider && accountOf(output) && (
          <span className="tool-account">
            as <Account.Identity />
          </span>
        )}
        {serviceAccountOf(output) && (
          <span className="tool-account">as the service account {serviceAccountOf(output)}</span>
        )}
        {callerOf(output) && <span className="tool-account">as {callerOf(output)}</span>}
        <span className="tool-state" data-state={request ? 'waiting' : state}>
          {words}
        </span>
      </summary>
      {open && (
        // Input and output contain no token: a tool gets none as input and returns none.
        <dl>
          <dt>Input</dt>
          <dd>{JSON.stringify(input, null, 2)}</dd>
          <dt>Output</dt>
          <dd>{errorText ?? JSON.stringify(output, null, 2)}</dd>
        </dl>
      )}
    </details>
  )
  return (
    <>
      {provider ? (
        <Account.Root provider={provider} accountId={accountOf(output)} className="tool">
          {call}
        </Account.Root>
      ) : (
        <article className="tool">{call}</article>
      )}
      {request && <AccountNeeded request={request} onReady={onAccountReady && (() => onAccountReady(request.url))} />}
    </>
  )
}

const WORDS = {
  waiting: 'Needs an account',
  page: 'Needs a visit',
  'input-streaming': 'Running…',
  'input-available': 'Running…',
  'approval-requested': 'Waiting for approval',
  'approval-responded': 'Running…',
  'output-available': 'Done',
  'output-error': 'Failed',
  'output-denied': 'Denied',
}

/** The service account that a tool used instead of a person's. */
function serviceAccountOf(output: unknown): string | undefined {
  if (typeof output !== 'object' || output === null) return undefined
  const { serviceAccount } = output as { serviceAccount?: unknown }
  return typeof serviceAccount === 'string' ? serviceAccount : undefined
}

/** The identity with which the agent called another agent. */
function callerOf(output: unknown): string | undefined {
  const { calls } = (output ?? {}) as { calls?: unknown }
  const from: unknown = Array.isArray(calls) ? calls[0]?.from : undefined
  return typeof from === 'string' ? from : undefined
}

/** The account that a tool used. Tools return its id, never a secret. */
function accountOf(output: unknown): string | undefined {
  if (typeof output !== 'object' || output === null || readConnectRequest(output)) return undefined
  const { accountId } = output as { accountId?: unknown }
  return typeof accountId === 'string' ? accountId : undefined
}
