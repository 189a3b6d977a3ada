import type { LatchkeyClient } from '@latchkey/core'
import { ChatClient } from '@tanstack/ai-client'
import { afterEach, expect, it, vi } from 'vitest'
import { createConnection } from './tanstack-ai.tsx'

afterEach(() => vi.unstubAllGlobals())

it('TanStack AI: each request has the tokens that are there by then, in one place', async () => {
  const bodies: string[] = []
  vi.stubGlobal('location', new URL('https://app.example/'))
  vi.stubGlobal('fetch', async (_url: string, init: RequestInit) => {
    bodies.push(`${init.body}`)
    return new Response('data: [DONE]\n\n', { headers: { 'content-type': 'text/event-stream' } })
  })
  let count = 0
  const getIdentities = async () => [{ provider: 'acme', accessToken: `CANARY_${++count}` }]
  const chat = new ChatClient({ connection: createConnection({ getIdentities } as unknown as LatchkeyClient) })
  await chat.sendMessage('One')
  await chat.sendMessage('Two')
  expect(bodies.map((body) => JSON.parse(body).identities)).toEqual([
    [{ provider: 'acme', accessToken: 'CANARY_1' }],
    [{ provider: 'acme', accessToken: 'CANARY_2' }],
  ])
  for (const body of bodies) expect(body.match(/CANARY/g)).toHaveLength(1)
  expect(JSON.stringify(chat.getMessages())).not.toContain('CANARY')
})
