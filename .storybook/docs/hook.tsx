import { LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, fakeAccount } from '@latchkey/react/testing'
import { type ReactNode, useMemo } from 'react'
import { docOf, sources, Text } from './generated.tsx'
import { Sample } from './sample.tsx'
import { example, fileName } from './usage.ts'

const core = import.meta.glob<string>(
  '../../packages/core/src/{client,engine,identities,snapshot,accounts/tokens}.ts',
  { query: '?raw', import: 'default', eager: true },
)
/** Longer ones are read in the editor. */
const MOST_LINES = 90

/** The declaration of a hook as it is in the code, without its body, and those of the types that it names. */
function declarationOf(hook: string): string {
  const all = [...Object.values(sources), ...Object.values(core)]
  const find = (pattern: RegExp) => all.map((source) => pattern.exec(source)?.[0]).find(Boolean)
  const comment = String.raw`(?:/\*\*(?:(?!\*/)[\s\S])*\*/\n)?`
  const declared = find(new RegExp(`${comment}export function ${hook}\\([\\s\\S]*?\\)(?:: [^{]+?)?(?= \\{\\n)`))
  if (!declared) throw new Error(`No file under packages/react/src exports ${hook}.`)
  const signature = declared.replace(/[\s\S]*\*\//, '')
  const types = [...new Set(signature.match(/\b[A-Z]\w+/g))]
    .map((name) =>
      find(new RegExp(`${comment}export (?:interface ${name}\\b[^{]*\\{[\\s\\S]*?\\n\\}|type ${name}\\b.*)`)),
    )
    .filter((one) => one !== undefined && one.split('\n').length < MOST_LINES)
  return [declared, ...types]
    .join('\n\n')
    .replaceAll('export ', '')
    .replace(/\{@link (\w+)\}/g, '$1')
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
    <figure className="docs-live sb-unstyled">
      <figcaption>It runs here, with two accounts of a fake client:</figcaption>
      <div>
        <LatchkeyProvider client={client}>{children}</LatchkeyProvider>
      </div>
    </figure>
  )
}
