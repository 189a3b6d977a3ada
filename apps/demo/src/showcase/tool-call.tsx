import { type ConnectRequest, readConnectRequest } from '@latchkey/core'
import { Account, useAccount, useLatchkey } from '@latchkey/react'
import type { DynamicToolUIPart, ToolUIPart } from 'ai'
import { type ReactNode, useState } from 'react'
import { requestOf } from './account-needed.tsx'
import { useAgent } from './agent-choice.tsx'
import { mayHave } from './agents.ts'
import { approvalOf, useAsked } from './approval-needed.tsx'
import type { AgentTools } from './server/tools.ts'

interface ToolCallProps {
  part: ToolUIPart<AgentTools> | DynamicToolUIPart
  /** Its answer goes on: no other message came after it. */
  goesOn: boolean
}

/** A tool call: its tool, input, account and answer. */
export function ToolCall({ part, goesOn }: ToolCallProps) {
  const [open, setOpen] = useState(false)
  const { title, toolMetadata, input, output, errorText } = part
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
        <ToolState part={part} goesOn={goesOn} />
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

/** How it is with a call: by what it waits for, as that is now, and by what the AI SDK says of it. */
function ToolState({ part, goesOn }: ToolCallProps) {
  const needed = requestOf(part, useLatchkey().providers)
  const asked = approvalOf(part)
  if (needed) return <Needed request={needed} />
  if (asked !== undefined) return <Asked id={asked} goesOn={goesOn} />
  return <State state={part.state} />
}

/** A call that waits for an account, for more access to one, or for a visit of a page. */
function Needed({ request: { provider, scopes, url } }: { request: ConnectRequest }) {
  const agent = useAgent()
  const account = useAccount(provider)
  if (!mayHave(agent, provider)) return <State state="output-denied" />
  if (url) return <State state="waiting" word="Needs a visit" />
  // Its account works, and may do too little.
  const isNarrow = (account?.status === 'connected' || account?.status === 'expiring') && Boolean(scopes?.length)
  return <State state="waiting" word={isNarrow ? 'Needs more access' : 'Needs an account'} />
}

/** A call that the person is asked about. Nobody goes on with it once the chat went past it. */
function Asked({ id, goesOn }: { id: string; goesOn: boolean }) {
  const { request, status } = useAsked(id)
  // The server has no such request any more.
  if (status === 'absent') return <State state="over" />
  // Until more is known, this is so in any case.
  if (!request) return <State state="waiting" word="Asked you" />
  if (request.state === 'waiting') return <State state="waiting" />
  if (request.state === 'denied') return <State state="output-denied" />
  return goesOn ? <State state="approval-responded" /> : <State state="over" word="Allowed, not done" />
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
  waiting: 'Waits for you',
  over: 'Not done',
  'input-streaming': 'Running…',
  'input-available': 'Running…',
  'approval-requested': 'Waits for you',
  'approval-responded': 'Running…',
  'output-available': 'Done',
  'output-error': 'Failed',
  'output-denied': 'Not allowed',
}

const State = ({ state, word = WORDS[state] }: { state: keyof typeof WORDS; word?: string }) => (
  <span className="tool-state" data-state={state}>
    {word}
  </span>
)

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
