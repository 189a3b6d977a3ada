// Tables that are made from the code, so that guides always match it.
import type { Provider } from '@latchkey/core'
import { Account } from '@latchkey/react'
import type { ReactNode } from 'react'
import styles from '../../packages/react/src/styles.css?raw'
import { EQUALS, THEIRS, type Theirs } from './agent-runtimes.ts'

interface TableProps {
  head: readonly string[]
  rows: readonly { key: string; cells: readonly ReactNode[] }[]
}

function Table({ head, rows }: TableProps) {
  return (
    <div className="docs-table">
      <table>
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title}>{title}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, index) => (
                <td key={head[index]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The scopes of a provider, and what its card says about each. */
export function Scopes({ provider }: { provider: Provider }) {
  if (provider.kind === 'api-key') return null
  const rows = Object.entries(provider.scopeMeanings).map(([scope, { label, sensitive }]) => ({
    key: scope,
    cells: [
      <code key="scope">{scope}</code>,
      label,
      provider.scopes.includes(scope) ? 'By default' : '',
      sensitive ? 'Sensitive' : '',
    ],
  }))
  return <Table head={['Scope', 'The card says', '', ' ']} rows={rows} />
}

export interface Variable {
  name: string
  /** What it is used for. */
  use: string
  light: string
  dark: string
}

/** The custom properties of styles.css, with what they are used for and their light and dark values. */
export function variables(): Variable[] {
  const uses = new Map<string, string>()
  const light = new Map<string, string>()
  const dark = new Map<string, string>()
  for (const [, selector = '', body = ''] of styles.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const isDark = /\[data-theme="dark"\]\s*$/.test(selector)
    const isLight = /(^|[\s,]):root(\s|,|$)/.test(selector)
    if (!isDark && !isLight) continue
    for (const [, name = '', value = ''] of body.matchAll(/(--latchkey-[\w-]+):\s*([^;]+);/g)) {
      const values = isDark ? dark : light
      if (!values.has(name)) values.set(name, value.replace(/\s+/g, ' ').trim())
    }
  }
  for (const [, name = '', use = ''] of styles.matchAll(/(--latchkey-[\w-]+):\s*[^;]+; \/\* (.+?) \*\//g))
    uses.set(name, use)
  return [...light].map(([name, value]) => {
    const use = uses.get(name)
    if (!use) throw new Error(`styles.css does not say what ${name} is used for.`)
    return { name, use, light: value, dark: dark.get(name) ?? '' }
  })
}

function Value({ value }: { value: string }) {
  if (!value) return null
  return (
    <span className="docs-value">
      {/^(#|rgb|hsl|oklch)/.test(value) && <span className="docs-swatch" style={{ background: value }} />}
      <code>{value}</code>
    </span>
  )
}

/** Every variable of styles.css. */
export function Variables() {
  const rows = variables().map(({ name, use, light, dark }) => ({
    key: name,
    cells: [
      <code key="name">{name}</code>,
      <Text key="use">{use}</Text>,
      <Value key="light" value={light} />,
      <Value key="dark" value={dark === light ? '' : dark} />,
    ],
  }))
  return <Table head={['Variable', 'Used for', 'Light', 'Dark']} rows={rows} />
}

/** Calls, elements and text in backticks. */
const CODE = /(`[^`]+`|<[A-Z][^>]*>|\{[\w.]+\}[\w/]*|[\w.]+\([^()]*\)[\w?.]*)/

/** Text with inline code, as in docstrings. */
export function Text({ children }: { children: string }) {
  return children
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .split(CODE)
    .map((piece, index) => (index % 2 ? <code key={piece}>{piece.replaceAll('`', '')}</code> : piece))
}

/** The code of the components. */
export const sources = import.meta.glob<string>(
  ['../../packages/react/src/**/*.{ts,tsx}', '!**/*.test.{ts,tsx}', '!**/*.stories.tsx'],
  { query: '?raw', import: 'default', eager: true },
)

/** The docstring of a part or a hook, from the file that exports it. Its tags are left out. */
export function docOf(part: string): string {
  const DOC = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*export (?:const|function) ${part}\\b`)
  const found = Object.values(sources).find((source) => DOC.test(source))
  if (!found) throw new Error(`No file under packages/react/src documents ${part}.`)
  const [, doc = ''] = DOC.exec(found) ?? []
  return doc
    .replace(/^\s*\*/gm, '')
    .replace(/(^|\n)\s*@(param|throws|see|default)[\s\S]*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Every part of `Account` with its docstring, in the order of a card. */
export function Parts() {
  const order = ['Root', 'Icon', 'Name', 'Identity', 'Avatar', 'Status', 'Reason', 'Expiry', 'Scopes']
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  const rows = Object.keys(Account)
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => ({
      key: name,
      cells: [<code key="name">Account.{name}</code>, <Text key="doc">{docOf(name)}</Text>],
    }))
  return <Table head={['Part', 'What it is']} rows={rows} />
}

const short = (entry: string) => entry.replace('@latchkey/', '')

/** The equivalent of each name of agent-runtimes, for one group of names. */
export function Equals({ group }: { group: keyof typeof THEIRS }) {
  const rows = THEIRS[group].map((theirs: Theirs) => {
    const { ours, how } = EQUALS[theirs]
    return {
      key: theirs,
      cells: [
        <code key="theirs">{theirs}</code>,
        ours.length === 0
          ? 'nothing'
          : ours.map((equal) => {
              const [entry = '', name = ''] = equal.split(' ')
              return (
                <div key={equal} className="docs-equal">
                  <code>{name}</code> <small>{short(entry)}</small>
                </div>
              )
            }),
        <Text key="how">{how}</Text>,
      ],
    }
  })
  return <Table head={['agent-runtimes', 'Latchkey', 'How']} rows={rows} />
}
