import { afterAll, expect, test } from 'vitest'
import { ASSISTANT, createColleague, DATA_PROCESSOR } from './colleague.ts'

const colleague = createColleague()
afterAll(() => colleague.close())

const there = { from: ASSISTANT, to: DATA_PROCESSOR, action: 'summarize' }
const back = { from: DATA_PROCESSOR, to: ASSISTANT, action: 'read rows' }

test('the agents call each other, and each knows who called', async () => {
  expect(await colleague.ask('summarize', 'orders')).toEqual({
    calls: [there, back],
    answer: 'orders: 4 rows, 553 in all, the largest 310.',
  })
})

test('questions at the same time keep their calls apart', async () => {
  const answers = await Promise.all(['orders', 'visits'].map((table) => colleague.ask('summarize', table)))
  expect(answers.map(({ calls }) => calls)).toEqual([
    [there, back],
    [there, back],
  ])
  expect(answers[1]?.answer).toBe('visits: 3 rows, 3321 in all, the largest 1204.')
})

test('both agents refuse another workload of the same trust domain', async () => {
  const stranger = await colleague.join('spiffe://demo.example/agents/stranger')
  for (const agent of [DATA_PROCESSOR, ASSISTANT]) {
    await expect(stranger.createSecureChannel(agent)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('The other agent refused this'),
    })
  }
})

test('the data processor can read rows only for a question of the assistant', async () => {
  const processor = await colleague.join(DATA_PROCESSOR)
  const channel = await processor.createSecureChannel(ASSISTANT)
  await expect(
    channel.request({ action: 'read rows', payload: { task: 'none', table: 'orders' } }),
  ).rejects.toMatchObject({ code: 'request_failed', message: expect.stringContaining('did not ask for this') })
})

test('says what it cannot do', async () => {
  await expect(colleague.ask('summarize', 'mail')).rejects.toThrow('no table “mail”, only orders and visits')
  await expect(colleague.ask('delete', 'orders')).rejects.toThrow('can only summarize')
})

test('can be closed before its first use, and refuses questions afterwards', async () => {
  const unused = createColleague()
  await unused.close()
  await expect(unused.ask('summarize', 'orders')).rejects.toMatchObject({ code: 'closed' })
})
