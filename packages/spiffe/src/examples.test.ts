import { expect, it } from 'vitest'
import { twoAgents } from '../examples/two-agents.ts'
import { run } from '../fixtures/processes.ts'

const STORY = [
  'spiffe://acme.com/agents/data-processor was asked by spiffe://acme.com/agents/planner to read orders',
  'spiffe://acme.com/agents/planner was asked by spiffe://acme.com/agents/data-processor to say how many rows',
  'spiffe://acme.com/agents/planner got row 1, row 2',
]

it('two agents call each other, and each knows who called', async () => {
  const lines: string[] = []
  await twoAgents((line) => lines.push(line))
  expect(lines).toEqual(STORY)
})

it('also as separate processes, which exit', async () => {
  expect(await run('examples/two-agents.ts')).toEqual({ code: 0, output: `${STORY.join('\n')}\n` })
}, 240_000)
