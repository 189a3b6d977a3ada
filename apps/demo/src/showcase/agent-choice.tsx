import { createContext, useContext, useId } from 'react'
import { AGENTS, ASSISTANT, type DemoAgent } from './agents.ts'

const Chosen = createContext(ASSISTANT)
export const AgentProvider = Chosen.Provider

/** The agent that the person talks to. */
export const useAgent = () => useContext(Chosen)

/** Whom to talk to. Each agent has a conversation of its own. Nobody can be chosen before the server answers. */
export function AgentChoice({ onChoose }: { onChoose?: (agent: DemoAgent) => void }) {
  const chosen = useAgent()
  const name = useId()
  return (
    <fieldset className="choice">
      <legend className="unseen">Talk to</legend>
      {AGENTS.map((agent) => (
        <label key={agent.id}>
          <input
            type="radio"
            name={name}
            checked={agent === chosen}
            disabled={!onChoose}
            onChange={() => onChoose?.(agent)}
          />
          {agent.name}
        </label>
      ))}
    </fieldset>
  )
}
