import type { Provider } from '@latchkey/core'
import { type AccountTool, ApprovalRequired, AuthorizationRequired, withAccount } from '@latchkey/server'
import type { z } from 'zod'

/** Reads a path of the provider's API, with a body by POST. */
type Read = <T>(path: string, schema: z.ZodType<T>, body?: object) => Promise<T>
type Options = { abortSignal?: AbortSignal | undefined }

/** Runs a tool with the person's account. The answer has the account's id, or asks for an account that is missing. */
export function asPerson<Input, T extends object>(
  tool: AccountTool & { provider: Provider },
  work: (input: Input, read: Read) => Promise<T>,
) {
  const { provider } = tool
  const run = withAccount(
    tool,
    async (input: Input, account, { abortSignal: signal }: Options): Promise<T & { accountId: string | undefined }> => {
      const read: Read = async (path, schema, body) => {
        const init = body && {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }
        const response = await account.fetch(path, { ...init, signal: signal ?? null })
        if (!response.ok) throw new Error(`${provider.name} answered with status ${response.status}.`)
        const answer = schema.safeParse(await response.json().catch(() => undefined))
        if (!answer.success) throw new Error(`${provider.name} gave an answer that could not be understood.`)
        return answer.data
      }
      return { accountId: account.accountId, ...(await work(input, read)) }
    },
  )
  return (input: Input, options: Options) => orAsk(provider.name, () => run(input, options))
}

/**
 * Returns the result of `work`. If an account is missing, lacks a scope or is no longer accepted, returns a
 * `ConnectRequest`, for which the page shows a button. If the person is asked first, returns what the card is found by.
 */
export async function orAsk<T>(name: string, work: () => Promise<T>) {
  try {
    return await work()
  } catch (error) {
    // The person is asked first. The page shows the card.
    if (error instanceof ApprovalRequired) return error.notice
    if (!(error instanceof AuthorizationRequired)) throw error
    return { ...error.request, message: `Connect ${name} and I'll continue.` }
  }
}
