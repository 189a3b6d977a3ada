// What a reader of a component's page copies: an example that the tests compile, and one line of JSX for each story.
import type { StoryContext } from '@storybook/react-vite'
import type { ReactElement } from 'react'

const examples = import.meta.glob<string>('../../packages/react/examples/{*,components/*,hooks/*}.tsx', {
  query: '?raw',
  import: 'default',
  eager: true,
})

/** The text of an example, by the name of its file. */
export function example(name: string): string {
  const found = Object.entries(examples).find(([file]) => file.endsWith(`/${name}.tsx`))
  if (!found) throw new Error(`packages/react/examples has no ${name}.tsx`)
  return found[1]
}

/** A name as its file is called: `ConnectButton` and `useToken` are `connect-button` and `use-token`. */
export const fileName = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()

const isElement = (value: unknown): value is ReactElement<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && 'props' in value && 'type' in value

/** A value as it is written in code. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value).map(([key, member]) => `${key}: ${literal(member)}`)
  return `{ ${members.join(', ')} }`
}

function prop([name, value]: [string, unknown]): string {
  if (value === true) return name
  return typeof value === 'string' && !value.includes('"') ? `${name}="${value}"` : `${name}={${literal(value)}}`
}

/** One element. What a test listens with is left out. */
function jsx(name: string, { children, ...props }: Record<string, unknown>): string {
  const all = Object.entries(props).filter(([, value]) => value !== undefined && typeof value !== 'function')
  const flat = [name, ...all.map(prop)].join(' ')
  const start = flat.length < 90 ? flat : [name, ...all.map((one) => `  ${prop(one)}`)].join('\n')
  const end = flat.length < 90 ? '' : '\n'
  if (children === undefined) return `<${start}${end || ' '}/>`
  const inside = isElement(children) ? jsx(String(children.type), children.props) : String(children)
  return inside.includes('<') ? `<${start}${end}>\n  ${inside}\n</${name}>` : `<${start}${end}>${inside}</${name}>`
}

/** The JSX of a story: the component with its props, without the provider and the test's client around it. */
export function storySource(_code: string, { title, args, argTypes }: StoryContext): string {
  const props = Object.entries(args).filter(
    ([name, value]) => String(value) !== argTypes[name]?.table?.defaultValue?.summary,
  )
  return jsx(title.split('/').at(-1) ?? title, Object.fromEntries(props))
}
