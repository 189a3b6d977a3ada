import { github } from '@latchkey/core/providers/github'
import { createCodeMode } from '@latchkey/server/code-mode'

/** Runs what a model wrote. Its fetch reaches these calls and no other; the token is added outside of the sandbox. */
export const codeMode = createCodeMode({ rules: [{ provider: github(), allow: ['GET /user/**'] }] })

export async function runCode(source: string): Promise<unknown> {
  const result = await codeMode.run({ source })
  // Accounts are missing: ask for them, then go on with `continuation`, which makes none of the earlier calls again.
  return result.status === 'paused' ? result : result.value
}
