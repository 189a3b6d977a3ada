import { LatchkeyError } from '@latchkey/core'
import { expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { memoryStore } from '../stores/memory.ts'
import { createAudit } from '../vault/audit.ts'
import { localKeys } from '../vault/keys.ts'
import { readAgents } from './agents.ts'
import { createDoor } from './door.ts'
import { createOverseer, type Overseer } from './overseer.ts'
import { judgedTool } from './tools.ts'

const owner = { tenant: 'one', user: 'ada' }
const keys = localKeys(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64'))

/** A door, and what its log says. */
async function doorOf(change: Partial<Overseer> = {}) {
  const store = memoryStore()
  const provider = providerAt('https://acme.example')
  const facts = { status: 'connected', issuer: provider.id, label: 'ada', connectedAt: 1, scopes: [] }
  const row = { ...owner, provider: 'acme', account: 'acme.1', facts: JSON.stringify(facts), kid: 'k', rev: 1 }
  await store.put({ ...row, sealed: new Uint8Array(1) }, undefined)
  const overseer = createOverseer({ store, keys })
  await overseer.change(owner, { agent: 'scout', of: { provider: 'acme' }, preset: 'trusted' })
  const found = { ...facts, id: 'acme.1', provider: 'acme' } as never
  const gone = new LatchkeyError('invalid_grant', 'Access has ended.')
  const door = createDoor({
    custodian: { factsOf: () => found, recheck: async () => found, ensureFresh: () => Promise.reject(gone) },
    audit: createAudit(store),
    providers: new Map([['acme', provider]]),
    agents: readAgents(undefined),
    overseer: { ...overseer, ...change },
  })
  const tool = judgedTool({ provider, toolName: 'send', effect: 'write' })
  const call = { owner, agent: 'scout', provider: 'acme', accountId: 'acme.1', tool, args: {}, run: 'r1' }
  const log = async () =>
    (await store.readAudit('one', { limit: 100 }))
      .map(({ event }) => JSON.parse(event))
      .filter(({ action }) => ['use', 'end', 'deny'].includes(action))
  return { door, overseer, call, log }
}

it('a use whose account turns out to be of no use has failed: no rule denied it, and it may be made again', async () => {
  const { door, call, log } = await doorOf()
  const use = await door.authorize(call)
  if ('done' in use) throw new Error('It was done before.')
  await expect(door.open(use)).rejects.toMatchObject({ code: 'invalid_grant' })
  const about = { tool: 'acme/send', account: 'acme.1', agent: 'scout', effect: 'write' }
  const [begun, ended] = await log()
  expect([begun, ended]).toMatchObject([
    { ...about, action: 'use', outcome: 'allowed', use: expect.stringMatching(/^[\w-]{22}$/) },
    { ...about, action: 'end', outcome: 'failed', reason: 'invalid_grant', use: begun.use },
  ])
  expect(await door.authorize(call)).toMatchObject({ args: {} })
  door.close()
})

it('a call that is stopped after it was judged and before it is under way is not made, and no receipt has it', async () => {
  const aborted = vi.fn()
  const own = await doorOf()
  const late = await doorOf({
    async judge(call, ...more) {
      const ruling = await late.overseer.judge(call, ...more)
      aborted(late.door.abort(owner, { agent: 'other' }), late.door.abort(owner, { agent: 'scout' }))
      return ruling
    },
  })
  await expect(late.door.authorize(late.call)).rejects.toMatchObject({ code: 'cancelled' })
  expect(aborted).toHaveBeenCalledWith([], [])
  expect((await late.log()).map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['allowed', undefined],
    ['failed', 'cancelled'],
  ])
  // Nothing was sent, so it may be made when its person starts the agent again.
  expect(await late.overseer.judge({ ...late.call, agents: ['scout'], account: 'acme.1' })).toMatchObject({
    word: 'allowed',
  })
  await expect(own.door.authorize(own.call)).resolves.toMatchObject({ args: {} })
  for (const { door } of [own, late]) door.close()
})
