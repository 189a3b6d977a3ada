import type { Rule } from '@latchkey/core/agents'
import { useAccounts } from '@latchkey/react'
import { useAccessWords, useAgentMessages, useAgentRules, useRequests } from '@latchkey/react/agents'
import { type ReactNode, useId } from 'react'
import { useAgent } from './agent-choice.tsx'
import { AGENTS, type DemoAgent, mayHave } from './agents.ts'

interface AgentListProps {
  model: string
  /** Nobody can be chosen before the server answers. */
  onChoose?: (agent: DemoAgent) => void
}

/** All agents, with what each may do now. What is below it is about the chosen one. */
export function AgentList({ model, onChoose }: AgentListProps) {
  const chosen = useAgent()
  const id = useId()
  return (
    <section className="section" aria-labelledby={id}>
      <h2 id={id}>Agents</h2>
      <ul className="agents" aria-labelledby={id}>
        {AGENTS.map((agent) => (
          <li key={agent.id}>
            <label>
              <input
                type="radio"
                name={id}
                checked={agent === chosen}
                disabled={!onChoose}
                aria-describedby={`${id}${agent.id}`}
                onChange={() => onChoose?.(agent)}
              />
              {agent.name}
            </label>
            <div id={`${id}${agent.id}`} className="agent-facts">
              <p>{agent.about}</p>
              <p className="agent-state">{onChoose ? <AgentState agent={agent} /> : 'Loading…'}</p>
            </div>
          </li>
        ))}
      </ul>
      <p className="hint">Model: {model}</p>
    </section>
  )
}

/** What an agent may do with the accounts that are connected, in the words of the list below. */
function AgentState({ agent }: { agent: DemoAgent }): ReactNode {
  const words = useAgentMessages()
  const { rules } = useAgentRules()
  const wordsOf = useAccessWords(agent.id)
  const accounts = useAccounts().filter(({ provider }) => mayHave(agent, provider))
  const waits = useRequests().some((request) => request.agent === agent.id)
  if (!rules || !wordsOf) return 'Loading…'
  const { everything, agents } = rules.stopped
  if (everything !== undefined || [agent.id, agent.parent ?? ''].some((id) => Object.hasOwn(agents, id))) {
    return words.stopped
  }
  const byWord = Map.groupBy(accounts, (account) => {
    const { off, preset } = wordsOf(account)
    return off ?? preset
  })
  // What the person made of one tool is named below, at its account.
  const isShown = ({ of }: Rule) =>
    accounts.some(({ id, provider }) => ('account' in of ? of.account === id : of.provider === provider))
  const exceptions = rules.agents[agent.id]?.rules.filter(isShown).length ?? 0
  const said = [...byWord].map(([word, some]) => `${word}: ${some.map(({ label }) => label).join(', ')}`)
  return [
    waits && 'Waits for your answer',
    ...(said.length > 0 ? said : ['Has no account yet']),
    exceptions > 0 && words.exceptionCount(exceptions),
  ]
    .filter(Boolean)
    .join(' · ')
}
