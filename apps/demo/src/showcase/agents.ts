import { AGENT_ID } from '../agent.ts'

/** An agent that a person can talk to. */
export interface DemoAgent {
  id: string
  name: string
  /** What it is for, in a sentence. */
  about: string
  parent?: string
  /** The only providers whose accounts it may be given. */
  providers?: readonly string[]
}

export const ASSISTANT: DemoAgent = {
  id: AGENT_ID,
  name: 'Assistant',
  about: 'Works with all of your accounts.',
}

export const AGENTS: readonly DemoAgent[] = [
  ASSISTANT,
  {
    id: 'mail-helper',
    name: 'Mail helper',
    about: 'Works for the Assistant with Gmail only, and may never do more than it.',
    parent: AGENT_ID,
    providers: ['gmail'],
  },
]

/** Whether an agent may be given accounts of a provider at all. */
export const mayHave = ({ providers }: DemoAgent, provider: string) => providers?.includes(provider) ?? true
