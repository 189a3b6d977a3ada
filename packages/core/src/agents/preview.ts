import type { Provider, ScopeMeaning } from '../provider.ts'
import type { AgentTool } from './oversight.ts'
import type { Decision, Effect } from './rules.ts'
import { missingScopes, type Outlook, outlookOf, type Standing } from './standing.ts'

/** What a preview is of: an agent, and an account that is connected or may be. */
export interface PreviewOptions extends Standing {
  provider: Provider
  /** Absent: it is not connected yet. */
  account?: { id: string; paused?: boolean }
  /** Scopes that were granted, or that will be asked for, by canonical name. */
  scopes: readonly string[]
}

/** One thing that an agent can do, or cannot. A UI makes a sentence of it. */
export interface PreviewItem extends Outlook {
  kind: 'tool' | 'scope'
  /** The tool's name, or the scope. */
  name: string
  /** The tool's title, or the words for the scope. A scope without words has its name. */
  title: string
  effect: Effect
  /** Scopes that the tool lacks: the person will be asked for them first. */
  missingScopes?: readonly string[]
  /** The scope is one to be careful with. */
  sensitive?: true
  /** No tool of the agent needs this scope. */
  unused?: true
}

/**
 * What an agent can do with an account, by its tools, the scopes and the person's rules: each of its tools for this
 * provider, then each scope with the most that a call may do with it.
 */
export function accessPreview(options: PreviewOptions): PreviewItem[] {
  const { agents, agent, provider, account, scopes } = options
  const at = { ...account, provider: provider.id }
  const tools = agents.find(({ id }) => id === agent)?.tools.filter((tool) => tool.provider === provider.id) ?? []
  const ruled = tools.map((tool) => ({ tool, outlook: withScopes(outlookOf(options, at, tool), tool, scopes) }))
  const undeclared = outlookOf(options, at)
  const meanings = 'scopeMeanings' in provider ? provider.scopeMeanings : {}
  return [
    ...ruled.map(
      ({ tool: { name, title, effect }, outlook }): PreviewItem => ({ kind: 'tool', name, title, effect, ...outlook }),
    ),
    ...scopes.map((name): PreviewItem => {
      // What is not known may change something.
      const { label: title = name, access: effect = 'write', sensitive }: Partial<ScopeMeaning> = meanings[name] ?? {}
      // A tool that does not say which scopes it needs may need any. What only reads changes nothing with a scope.
      const users = ruled.filter(({ tool }) => tool.scopes?.includes(name) ?? true)
      const able = users.filter(({ tool }) => effect === 'read' || tool.effect !== 'read')
      const outlooks = [undeclared, ...able.map(({ outlook }) => outlook)]
      const most = outlooks.reduce(laxer)
      return {
        ...{ kind: 'scope', name, title, effect, decision: most.decision },
        ...(most.because && { because: most.because }),
        ...(outlooks.some(({ depends }) => depends) && { depends: true }),
        ...(sensitive && { sensitive }),
        ...(tools.length > 0 && users.length === 0 && { unused: true }),
      }
    }),
  ]
}

const FREEDOM: Readonly<Record<Decision, number>> = { never: 0, ask: 1, allow: 2 }

const laxer = (one: Outlook, other: Outlook): Outlook => (FREEDOM[other.decision] > FREEDOM[one.decision] ? other : one)

/** A tool that lacks a scope does nothing before its person was asked for it. */
function withScopes(outlook: Outlook, tool: AgentTool, granted: readonly string[]) {
  const missing = missingScopes(tool, granted)
  if (missing.length === 0 || outlook.decision === 'never') return outlook
  return { ...outlook, decision: 'ask', missingScopes: missing } as const
}

/** A difference between two previews. */
export interface PreviewChange {
  /** As it is after the change, or as it was if it is gone. */
  item: PreviewItem
  before: Decision
  after: Decision
  /** `arguments`: the decision is the same, but now it depends on arguments, or no longer does. */
  change: 'more' | 'less' | 'arguments'
}

/** What changes for a person between two previews. What is absent from one is `never` in it. */
export function previewDiff(before: readonly PreviewItem[], after: readonly PreviewItem[]): PreviewChange[] {
  // A tool that does something else now is another one.
  const keyOf = ({ kind, name, effect }: PreviewItem) => `${kind} ${effect} ${name}`
  const [old, now] = [before, after].map((items) => new Map(items.map((item) => [keyOf(item), item])))
  return [...new Map([...(old ?? []), ...(now ?? [])])].flatMap(([key, item]): PreviewChange[] => {
    const [was, is] = [old?.get(key), now?.get(key)]
    const from = was?.decision ?? 'never'
    const to = is?.decision ?? 'never'
    if (from !== to) return [{ item, before: from, after: to, change: FREEDOM[to] > FREEDOM[from] ? 'more' : 'less' }]
    return was?.depends === is?.depends ? [] : [{ item, before: from, after: to, change: 'arguments' }]
  })
}
