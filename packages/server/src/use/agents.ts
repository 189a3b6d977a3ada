import { LatchkeyError } from '@latchkey/core'
import type { Agent } from '@latchkey/core/agents'
import { type AgentLine, lineOf } from '@latchkey/core/server'
import { type AccountTool, listedTool } from './tools.ts'

/** An agent as the app declares it: what it could do. What it may do, each person decides. */
export interface AgentPolicy {
  /**
   * What people call it.
   *
   * @default its id
   */
  name?: string
  /** The agent that starts it. It may never do more than this one. */
  parent?: string
  /**
   * Ids of the providers whose accounts it may be given at all, whatever a request says.
   *
   * @default all
   */
  providers?: readonly string[]
  /** Its tools, for its person to see before they are called. */
  tools?: readonly AccountTool[]
}

/** The agents of an app. */
export interface Agents {
  /** The agent itself, then its parent, and so on. */
  chainOf(id: string): AgentLine
  /** Whether it, and each agent above it, may be given accounts of this provider. */
  allows(id: string, provider: string): boolean
  list(): Agent[]
}

/** The name of an agent that the app did not declare. */
const UNNAMED = 'Your agent'

/** @throws LatchkeyError `misuse` for a parent that there is not, or that is its own parent. */
export function readAgents(policies: Readonly<Record<string, AgentPolicy>> | undefined): Agents {
  const known = new Map(Object.entries(policies ?? {}))
  const family = [...known].map(([id, { parent }]) => ({ id, parent }))
  for (const { id, parent } of family) {
    if (parent === undefined || known.has(parent)) continue
    throw misuse(`agents.${id}: its parent ${JSON.stringify(parent)} is none of agents.`)
  }
  const chains = new Map(family.map(({ id }) => [id, lineOf(family, id)]))
  for (const [id, line] of chains) {
    // A line ends at an agent without a parent, or before it would come round.
    if (known.get(line.at(-1) ?? id)?.parent !== undefined) throw misuse(`agents.${id} is a parent of itself.`)
    checkTools(id, known.get(id)?.tools ?? [])
  }

  return {
    chainOf: (id) => chains.get(id) ?? [id],
    // An app without agents lets every agent have what it is sent. Its person's rules hold all the same.
    allows: (id, provider) =>
      policies === undefined ||
      (chains.get(id)?.every((one) => known.get(one)?.providers?.includes(provider) ?? true) ?? false),
    list: () =>
      policies === undefined
        ? [{ id: 'agent', name: UNNAMED, tools: [] }]
        : [...known].map(([id, { name = id, parent, providers, tools = [] }]) => ({
            id,
            name,
            ...(parent !== undefined && { parent }),
            ...(providers && { providers }),
            tools: tools.map(listedTool),
          })),
  }
}

const misuse = (message: string) => new LatchkeyError('misuse', message)

function checkTools(id: string, tools: readonly AccountTool[]): void {
  const names = tools.map((tool) => listedTool(tool).name)
  const twice = names.find((name, at) => names.indexOf(name) < at)
  if (twice !== undefined) throw misuse(`agents.${id} has two tools named ${JSON.stringify(twice)}.`)
}
