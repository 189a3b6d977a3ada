import { LatchkeyError } from '@latchkey/core'
import type { ApprovalNotice, Because } from '@latchkey/core/agents'

/** Marks the notices that this package made. It is lost in JSON, and no JSON can contain it. */
const NOTICE: unique symbol = Symbol('latchkey.approval')

/**
 * A call waits for its person's yes. Its JSON is an {@link ApprovalNotice}, so a runtime that returns errors as JSON asks the
 * person without further code. When the person has said yes, the same call is let through, once.
 */
export class ApprovalRequired extends Error {
  readonly notice: ApprovalNotice

  constructor(notice: Omit<ApprovalNotice, 'type' | 'message'>) {
    const { toolName } = notice
    const what = toolName ? ` (${toolName})` : ''
    const message = `The person is asked whether this may be done${what}. Do not call it again before they answer.`
    super(message)
    this.name = 'ApprovalRequired'
    this.notice = Object.assign({ type: 'approval_required' as const, ...notice, message }, { [NOTICE]: true })
  }

  /** The same, with the runtime's id of the call. */
  of(toolCallId: string): ApprovalRequired {
    const { type: _, message: __, ...notice } = this.notice
    return new ApprovalRequired({ ...notice, toolCallId })
  }

  toJSON(): ApprovalNotice {
    return this.notice
  }
}

const STOPPED = {
  agent: 'The person stopped this agent',
  account: 'The person stopped this account',
  everything: 'The person stopped everything',
}

/** What forbids a call, in words for the model, without the full stop. */
export function forbiddenBy(because: Because | undefined): string {
  if (because?.by === 'paused') return 'The person paused this account'
  return because?.by === 'stopped' ? STOPPED[because.what] : 'The person does not allow this'
}

interface NotAllowedOptions {
  provider: string
  /** Account id. */
  account: string
  toolName: string | undefined
  because?: Because
  /** Why, in the person's own words. */
  reason?: string | undefined
}

/** A person's rules forbid a call, or the person said no. */
export class NotAllowed extends LatchkeyError {
  /** What forbids it. Absent: the person said no to this one call. */
  readonly because: Because | undefined

  constructor({ provider, account, toolName, because, reason }: NotAllowedOptions) {
    const what = toolName ? ` (${toolName})` : ''
    const words = reason ? `The person said no${what}: ${reason}` : `${forbiddenBy(because)}${what}.`
    super('access_denied', words, { provider, account, next: 'none' })
    this.because = because
  }
}
