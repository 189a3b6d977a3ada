import { anthropic } from '@ai-sdk/anthropic'
import { openai } from '@ai-sdk/openai'
import type { LanguageModel } from 'ai'
import { createScriptedModel } from './scripted-model.ts'

export interface AgentModel {
  model: LanguageModel
  /** Name shown in the page. */
  name: string
  /** It runs in this process, so nobody else reads what it is told. */
  isScripted?: true
}

/** The model for which the environment has a key; else a scripted model. */
export function chooseModel(env: NodeJS.ProcessEnv): AgentModel {
  if (env.OPENAI_API_KEY) {
    const id = env.OPENAI_MODEL ?? 'gpt-5.4-mini'
    return { model: openai(id), name: `OpenAI ${id}` }
  }
  if (env.ANTHROPIC_API_KEY) {
    const id = env.ANTHROPIC_MODEL ?? 'claude-haiku-4-5'
    return { model: anthropic(id), name: `Anthropic ${id}` }
  }
  return { model: createScriptedModel(), name: 'Scripted, no API key needed', isScripted: true }
}
