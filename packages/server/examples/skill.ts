import path from 'node:path'
import type { AgentContext } from '@latchkey/server'
import { Skill } from '@latchkey/server/skills'

/** Runs a Python script. KAGGLE_TOKEN is the only secret in its environment. */
export async function listDatasets(context: AgentContext, api = 'https://api.kaggle.com/v1'): Promise<string[]> {
  const skill = await Skill.load(path.join(import.meta.dirname, 'list-datasets'))
  const { exitCode, stdout, stderr } = await skill.run({ context, input: { api } })
  if (exitCode !== 0) throw new Error(stderr)
  return stdout.trim().split('\n')
}
