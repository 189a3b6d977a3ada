import { LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, fakeAccount } from '@latchkey/react/testing'
import { type ReactNode, useMemo } from 'react'
import { docOf, sources, Text } from './generated.tsx'
import { Sample } from './sample.tsx'
import { example, fileName } from './usage.ts'

/** The declaration of a hook as it is in the code, without its body, and the interfaces that it names. */
function declarationOf(hook: string): string {
  const all = Object.values(sources)
  const find = (pattern: RegExp) => all.map((source) => pattern.exec(source)?.[1]).find(Boolean)
  const signature = find(new RegExp(`export (function ${hook}\\([\\s\\S]*?\\)(?:: [^{]+?)?) \\{\\n`))
  if (!signature) throw new Error(`No file under packages/react/src exports ${hook}.`)
  const named = [...signature.matchAll(/\bUse\w+/g)]
    .map(([name]) => find(new RegExp(`export (interface ${name} \\{[\\s\\S]*?\\n\\})`)))
    .filter((one) => one !== undefined)
  return [signature, ...named].join('\n\n')
}

interface HookProps {
  name: string
  /** What its example shows, with two accounts. */
  children?: ReactNode
}

/** The page of a hook. */
export function Hook({ name, children }: HookProps) {
  return (
    <>
      <p>
        <Text>{docOf(name)}</Text>
      </p>
      <h2 id="usage">Usage</h2>
      <Sample code={example(fileName(name))} />
      {children && <Live>{children}</Live>}
      <h2 id="signature">Signature</h2>
      <Sample code={declarationOf(name)} />
    </>
  )
}

function Live({ children }: { children: ReactNode }) {
  const client = useMemo(() => {
    const ada = fakeAccount({ provider: 'gmail', username: 'ada', label: 'ada@example.com', name: 'Ada Lovelace' })
    return createFakeClient({
      accounts: [fakeAccount(), ada],
      requests: [{ type: 'authorization_required', provider: 'kaggle', toolName: 'list_datasets' }],
    })
  }, [])
  return (
    <figure className="docs-live">
      <figcaption>It runs here, with two accounts of a fake client:</figcaption>
      <div>
        <LatchkeyProvider client={client}>{children}</LatchkeyProvider>
      </div>
    </figure>
  )
}
