import { github } from '@latchkey/core/providers/github'
import { createCodeMode } from '@latchkey/server/code-mode'

/** Runs code that a model wrote. Its fetch can make these calls only; the token is added outside of the sandbox. */
export const codeMode = createCodeMode({ rules: [{ provider: github(), allow: ['GET /user/**'] }] })

export async function runCode(source: string): Promise<unknown> {
  const result = await codeMode.run({ source })
  // Paused: accounts are missing. Ask for them, then resume with `continuation`; earlier calls are not repeated.
  return result.status === 'paused' ? result : result.value
}
