import { readConnectRequest } from '@latchkey/core'
import { readApprovalNotice } from '@latchkey/core/agents'
import { Account, useAccount, useLatchkey } from '@latchkey/react'
import type { DynamicToolUIPart, ToolUIPart } from 'ai'
import { type ReactNode, useState } from 'react'
import { requestOf } from './account-needed.tsx'
import { useAgent } from './agent-choice.tsx'
import { mayHave } from './agents.ts'
import type { AgentTools } from './server/tools.ts'

/** A tool call: its tool, input, account and answer. */
export function ToolCall({ part }: { part: ToolUIPart<AgentTools> | DynamicToolUIPart }) {
  const [open, setOpen] = useState(false)
  const { title, toolMetadata, state, input, output, errorText } = part
  const request = requestOf(part, useLatchkey().providers)
  const isAsking = readApprovalNotice(output) !== null
  const agent = useAgent()
  const isRefused = request !== null && !mayHave(agent, request.provider)
  const asks = request
    ? request.url
      ? WORDS.page
      : WORDS.waiting
    : isAsking || state === 'approval-requested'
      ? WORDS.asking
      : undefined
  const words = isRefused ? WORDS['output-denied'] : (asks ?? WORDS[state])
  // A tool with a service account has no provider of the page.
  const provider = typeof toolMetadata?.provider === 'string' ? toolMetadata.provider : undefined
  const accountId = accountOf(output)
  const label = useLabel(accountId)
  const serviceAccount = serviceAccountOf(output)
  const who = label ?? (serviceAccount && `the service account ${serviceAccount}`) ?? callerOf(output)
  const call = (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {provider ? <Account.Icon className="icon" /> : <OwnMark />}
        <span className="tool-title">{title}</span>
        {who && <span className="tool-account">as {who}</span>}
        <span className="tool-state" data-state={isRefused ? 'output-denied' : asks ? 'waiting' : state}>
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
  if (!provider) return <article className="tool">{call}</article>
  return (
    <Account.Root provider={provider} accountId={accountId} className="tool">
      {call}
    </Account.Root>
  )
}

/** What an account is called. The last label stays after the account is disconnected. */
function useLabel(accountId: string | undefined): ReactNode {
  const account = useAccount({ accountId: accountId ?? '' })
  const [label, setLabel] = useState(account?.label)
  if (account && account.label !== label) setLabel(account.label)
  return label
}

/** The mark of a tool that works with no account of the person: the agent's own. */
function OwnMark() {
  return (
    <svg className="icon line-icon" viewBox="0 0 24 24" aria-hidden="true">
      <rect x="4.5" y="8" width="15" height="11" rx="3" />
      <path d="M12 8V4.5M9.5 12.5v2M14.5 12.5v2M2 12.5v2.5M22 12.5v2.5" />
    </svg>
  )
}

const WORDS = {
  waiting: 'Needs an account',
  page: 'Needs a visit',
  asking: 'Waits for you',
  'input-streaming': 'Running…',
  'input-available': 'Running…',
  'approval-requested': 'Waits for you',
  'approval-responded': 'Running…',
  'output-available': 'Done',
  'output-error': 'Failed',
  'output-denied': 'Not allowed',
}

/** The service account that a tool used instead of a person's. */
function serviceAccountOf(output: unknown): string | undefined {
  if (typeof output !== 'object' || output === null) return undefined
  const { serviceAccount } = output as { serviceAccount?: unknown }
  return typeof serviceAccount === 'string' ? serviceAccount : undefined
}

/** The name with which the agent called another agent: the last part of its SPIFFE ID, which the output has in full. */
function callerOf(output: unknown): string | undefined {
  const { calls } = (output ?? {}) as { calls?: unknown }
  const from: unknown = Array.isArray(calls) ? calls[0]?.from : undefined
  return typeof from === 'string' ? from.split('/').at(-1) : undefined
}

/** The account that a tool used. Tools return its id, never a secret. */
function accountOf(output: unknown): string | undefined {
  if (typeof output !== 'object' || output === null || readConnectRequest(output)) return undefined
  const { accountId } = output as { accountId?: unknown }
  return typeof accountId === 'string' ? accountId : undefined
}
