import { LatchkeyError } from '@latchkey/core'
import type { Answer, RuleChange, StopTarget } from '@latchkey/core/agents'
import { readAnswer, readRuleChange, readStopTarget } from '@latchkey/core/server'
import type { Context, Hono, MiddlewareHandler } from 'hono'
import type { Agents } from '../../use/agents.ts'
import type { Door } from '../../use/door.ts'
import type { Overseer } from '../../use/overseer.ts'
import type { Audit } from '../../vault/audit.ts'
import type { PersonLog } from '../../vault/person-log.ts'
import { badRequest, refusal } from '../answers.ts'
import type { Feed } from '../live.ts'
import type { Body, Env, VaultOwner } from '../request.ts'

/** The same answer for a request of another person and for one that never was. */
const noRequest = () => refusal(404, 'invalid_request', 'There is no such request.')

/** @throws LatchkeyError `misuse` if the broker cannot tell whose session it is. */
function ownerOf({ var: { owner } }: Context<Env>): Required<VaultOwner> {
  if (owner) return owner
  throw new LatchkeyError('misuse', 'createBroker needs owner(session): whose agents are these?')
}

/** @throws HTTPException if it is not what the route takes. */
function read<T>(reader: (value: unknown) => T | undefined, body: Body, what: string): T {
  const value = reader(body)
  if (value === undefined) throw badRequest(`The body is not ${what}.`)
  return value
}

interface PersonParts {
  agents: Agents
  overseer: Overseer
  door: Door
  audit: Audit
  log: PersonLog
  feed: Feed
}

/**
 * What a person sees and says of agents. Only a person's own request changes a rule or answers a request: these routes need
 * the session, the origin and the header, and nothing that a model or a tool writes comes here.
 */
export function personRoutes(
  app: Hono<Env>,
  { agents, overseer, door, audit, log, feed }: PersonParts,
  guard: MiddlewareHandler<Env>,
): void {
  app.get('/agents', guard, (c) => c.json({ agents: agents.list() }))

  app.get('/rules', guard, async (c) => c.json({ rules: await overseer.rules(ownerOf(c)) }))

  app.post('/rules', async (c) => {
    const change = read<RuleChange>(readRuleChange, c.var.body, 'a change of a rule')
    return c.json({ rules: await overseer.change(ownerOf(c), change) })
  })

  app.get('/requests', guard, async (c) => c.json({ requests: await overseer.requests(ownerOf(c)) }))

  app.get('/requests/:id', guard, async (c) => {
    const request = await overseer.request(ownerOf(c), c.req.param('id'))
    if (!request) throw noRequest()
    return c.json({ request })
  })

  app.post('/requests/:id', async (c) => {
    const answer = read<Answer>(readAnswer, c.var.body, 'an answer to a request')
    const request = await overseer.answer(ownerOf(c), c.req.param('id'), answer)
    if (!request) throw noRequest()
    return c.json({ request })
  })

  app.post('/requests/:id/challenge', async (c) => {
    const answer = read<Answer>(readAnswer, c.var.body, 'an answer to a request')
    const challenge = await overseer.challenge(ownerOf(c), c.req.param('id'), answer)
    if (!challenge) throw noRequest()
    return c.json(challenge)
  })

  app.post('/stop', async (c) => {
    const { body } = c.var
    const owner = ownerOf(c)
    const target = read<StopTarget>(readStopTarget, body, 'what to stop')
    // The mark first: a call that begins meanwhile finds it.
    const receipt = await overseer.stop(owner, target)
    return c.json({ ...receipt, aborted: door.abort(owner, target) })
  })

  app.post('/resume', async (c) => {
    const target = read<StopTarget>(readStopTarget, c.var.body, 'what to start again')
    return c.json({ rules: await overseer.resume(ownerOf(c), target) })
  })

  app.get('/activity', guard, async (c) => {
    const { before, limit, agent, account } = c.req.query()
    const page = { before: whole(before), limit: whole(limit), agent, account }
    return c.json(await audit.activity(ownerOf(c), page))
  })

  app.get('/activity/last', guard, async (c) => c.json(await log.lastUses(ownerOf(c))))

  app.post('/activity/verify', async (c) => c.json(await log.check(ownerOf(c), c.req.raw.signal)))

  app.get('/activity/live', guard, async (c) => {
    const owner = ownerOf(c)
    // Hono answers HEAD here too, and nobody would end the stream.
    if (c.req.raw.method !== 'GET') return c.body(null)
    const after = whole(c.req.header('last-event-id'))
    const stream = await feed.open(owner, { after, isStill: c.var.isStill, signal: c.req.raw.signal })
    if (!stream)
      throw refusal(429, 'temporarily_unavailable', 'Too many pages follow this. Ask again and again instead.')
    return new Response(stream, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } })
  })
}

function whole(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text)) throw badRequest('before, limit and Last-Event-ID are whole numbers.')
  return Number(text)
}
