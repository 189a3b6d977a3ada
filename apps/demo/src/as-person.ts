import type { Provider } from '@latchkey/core'
import { AuthorizationRequired, withAccount } from '@latchkey/server'
import type { z } from 'zod'

/** Reads a path of the provider's API, with a body by POST. */
type Read = <T>(path: string, schema: z.ZodType<T>, body?: object) => Promise<T>
type Options = { abortSignal?: AbortSignal | undefined }

interface Needs {
  provider: Provider
  toolName: string
  scopes?: readonly string[]
}

/** Runs a tool with the person's account. The answer has the account's id, or asks for an account that is missing. */
export function asPerson<Input, T extends object>(needs: Needs, work: (input: Input, read: Read) => Promise<T>) {
  const { provider } = needs
  const run = withAccount(needs, async (input: Input, account, { abortSignal: signal }: Options) => {
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
  })
  return (input: Input, options: Options) => orAsk(provider.name, () => run(input, options))
}

/**
 * Returns the result of `work`. If an account is missing, lacks a scope or is no longer accepted, returns a
 * `ConnectRequest`, for which the page shows a button.
 */
export async function orAsk<T>(name: string, work: () => Promise<T>) {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof AuthorizationRequired)) throw error
    return { ...error.request, message: `Connect ${name} and I'll continue.` }
  }
}
