import { readForeignRequest } from '@latchkey/core/runtimes/foreign'
import { ForeignPrompt } from '@latchkey/react'

/** The answer of a tool, in the chat. `goOn` gives the answer anew. */
export function ToolAnswer({ output, goOn }: { output: unknown; goOn: () => void }) {
  const foreign = readForeignRequest(output)
  if (foreign) return <ForeignPrompt request={foreign} onReturn={goOn} />
  return <pre>{JSON.stringify(output, null, 2)}</pre>
}
