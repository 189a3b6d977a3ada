import type { Provider } from '@latchkey/core'
import {
  ApprovalRequired,
  type AuthorizationRequired,
  orAsk,
  type WithAccountOptions,
  withAccount,
} from '@latchkey/server'
import type { z } from 'zod'

/** Calls a path of the provider's API: GET, or POST if there is a body. An answer without a body is undefined. */
export type CallApi = <T>(path: string, schema: z.ZodType<T>, init?: { method?: 'DELETE'; body?: object }) => Promise<T>
type Options = { abortSignal?: AbortSignal | undefined }

/** Runs a tool with the person's account. The answer has the account's id, or asks for an account that is missing. */
export function asPerson<Input, T extends object>(
  tool: WithAccountOptions & { provider: Provider },
  work: (input: Input, call: CallApi) => Promise<T>,
) {
  const { provider } = tool
  const run = withAccount(
    tool,
    async (input: Input, account, { abortSignal: signal }: Options): Promise<T & { accountId: string | undefined }> => {
      const call: CallApi = async (path, schema, { method = 'GET', body } = {}) => {
        const init = body
          ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
          : { method }
        const response = await account.fetch(path, { ...init, signal: signal ?? null })
        if (!response.ok) throw new Error(`${provider.name} answered with status ${response.status}.`)
        const answer = schema.safeParse(await response.json().catch(() => undefined))
        if (!answer.success) throw new Error(`${provider.name} gave an answer that could not be understood.`)
        return answer.data
      }
      return { accountId: account.accountId, ...(await work(input, call)) }
    },
  )
  return orAsk(run, needOf(provider.name))
}

/**
 * What a tool answers if an account is missing, lacks a scope or is no longer accepted: a `ConnectRequest`, for which the page
 * shows a button. If the person is asked first: what the page finds the card by.
 */
export const needOf = (name: string) => (need: AuthorizationRequired | ApprovalRequired) =>
  need instanceof ApprovalRequired ? need.notice : { ...need.request, message: `Connect ${name} and I'll continue.` }
