import { ReadableStream as NodeStream } from 'node:stream/web'
import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { Identity } from '@latchkey/core'
import { readConnectRequest } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { convertToModelMessages, generateText, isStepCount, streamText, tool, toUIMessageStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { everythingAllowed } from '../../fixtures/run-accounts.ts'
import {
  AgentContext,
  AuthorizationRequired,
  getIdentity,
  requireIdentity,
  type ToolAccount,
  type UseEntry,
  withAccount,
  withIdentities,
} from '../index.ts'

const of = (user: string): Identity => ({
  provider: 'github',
  accessToken: `CANARY_AT_${user}`,
  accountId: `github.${user}`,
  scopes: ['repo'],
})
const all = (value: unknown) => inspect(value, { depth: 20, showHidden: true, getters: false }) + JSON.stringify(value)

describe('AgentContext', () => {
  it('holds the tokens of a person by provider', () => {
    const ctx = new AgentContext({
      userId: 'ada',
      oauthTokens: {
        github: { access_token: 'CANARY_AT_ada', scopes: ['repo'] },
        gmail: { access_token: 'CANARY_mail' },
      },
    })
    expect(ctx.oauthTokens.github.access_token).toBe('CANARY_AT_ada')
    expect(ctx.oauthTokens.github.scopes).toEqual(['repo'])
    expect(ctx.oauthTokens.gmail.scopes).toEqual([])
    // @ts-expect-error a provider that was not given is not there
    expect(ctx.oauthTokens.kaggle).toBeUndefined()
    expect((ctx.oauthTokens as Record<string, unknown>).constructor).toBeUndefined()
  })

  it('has no token in JSON, in console output or in a copy', () => {
    const ctx = AgentContext.fromIdentities([of('ada')], { userId: 'ada' })
    const token = ctx.oauthTokens.github
    for (const value of [ctx, ctx.oauthTokens, token, { ...token }, { ...ctx }, structuredClone({ ...token })]) {
      expect(all(value)).not.toContain('CANARY')
    }
    expect(JSON.parse(JSON.stringify(ctx))).toEqual({
      userId: 'ada',
      accounts: [{ provider: 'github', accountId: 'github.ada', scopes: ['repo'] }],
    })
  })

  it('is found by code that runs in it, in streams and generators too', async () => {
    const ctx = AgentContext.fromIdentities([of('ada')], { userId: 'ada' })
    async function* run() {
      for (let step = 0; step < 3; step++) {
        await turn()
        yield AgentContext.current().userId
      }
    }
    const source = await ctx.respond(() => run())
    const other = AgentContext.fromIdentities([], { userId: 'bob' })
    const seen: string[] = []
    await other.run(async () => {
      for await (const value of source) seen.push(value, AgentContext.current().userId)
    })
    expect(seen).toEqual(['ada', 'bob', 'ada', 'bob', 'ada', 'bob'])
    expect(AgentContext.current().oauthTokens).toEqual({})
    withIdentities([of('eve')], () => {
      expect(AgentContext.current().oauthTokens.github?.accountId).toBe('github.eve')
      expect(AgentContext.current()).toBe(AgentContext.current())
    })
  })

  it('opens an account in a vault when it is used, refreshed each time', async () => {
    const opened: unknown[] = []
    const references = new Map([
      ['github', 'github.ada'],
      ['gmail', 'gmail.ada'],
    ])
    const accounts = everythingAllowed(references, async (provider, accountId, { toolName }) => {
      opened.push([provider, accountId, toolName])
      return provider === 'github' ? { ...of('ada'), accessToken: `CANARY_AT_${opened.length}` } : undefined
    })
    const ctx = AgentContext.fromIdentities([{ provider: 'kaggle', accessToken: 'KGAT_CANARY' }], {
      userId: 'ada',
      accounts,
    })
    expect(ctx.accounts.map(({ provider, accountId }) => [provider, accountId])).toEqual([
      ['kaggle', undefined],
      ['github', 'github.ada'],
      ['gmail', 'gmail.ada'],
    ])
    expect(opened).toEqual([])
    expect((await ctx.getToken('kaggle')).access_token).toBe('KGAT_CANARY')
    expect((await ctx.getToken('github', { scopes: ['repo'], toolName: 'list' })).access_token).toBe('CANARY_AT_1')
    expect((await ctx.getToken('github')).access_token).toBe('CANARY_AT_2')
    const missing = { request: { provider: 'gmail', accountId: 'gmail.ada' } }
    await expect(ctx.getToken('gmail')).rejects.toMatchObject(missing)
    await expect(ctx.getToken('github', { scopes: ['gist'] })).rejects.toThrow('gist')
    expect(opened).toEqual([
      ['github', 'github.ada', 'list'],
      ['github', 'github.ada', undefined],
      ['gmail', 'gmail.ada', undefined],
      ['github', 'github.ada', undefined],
    ])
    expect(all(ctx)).not.toContain('CANARY')
    // Synchronous code cannot wait for the vault. It says so, instead of asking for a connected account.
    ctx.run(() => {
      expect(getIdentity('github')).toBeUndefined()
      expect(() => requireIdentity('github')).toThrow(/withAccount/)
      expect(() => requireIdentity('other')).toThrow(AuthorizationRequired)
    })
  })

  it("case 87: a hundred interleaved requests never see each other's accounts", async () => {
    const tool = withAccount(
      { provider: 'github', toolName: 'tool', effect: 'read' },
      async (steps: number, account) => {
        const seen = new Set<string>()
        for (let step = 0; step < steps; step++) {
          await (step % 2 ? turn() : Promise.resolve())
          seen.add(await account.getToken()).add(AgentContext.current().userId)
        }
        return [...seen].map((one) => one.replace('CANARY_AT_', ''))
      },
    )
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const user = index % 2 ? 'ada' : 'bob'
        return AgentContext.fromIdentities([of(user)], { userId: user }).run(() => tool(3 + (index % 7), {}))
      }),
    )
    expect(answers).toEqual(answers.map((_, index) => (index % 2 ? ['ada', 'ada'] : ['bob', 'bob'])))
  })
})

const NO_USAGE = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

/** A model that calls the tool in its second step, after a slow text, and then ends. */
function lateModel(toolName: string, input: object = {}) {
  let step = 0
  return new MockLanguageModelV4({
    doStream: async () => {
      step++
      const current = step
      async function* parts() {
        yield { type: 'stream-start' as const, warnings: [] }
        yield { type: 'text-start' as const, id: 't' }
        for (let word = 0; word < 5; word++) {
          await turn()
          yield { type: 'text-delta' as const, id: 't', delta: 'word ' }
        }
        yield { type: 'text-end' as const, id: 't' }
        if (current < 3) {
          yield { type: 'tool-call' as const, toolCallId: `c${current}`, toolName, input: JSON.stringify(input) }
        }
        const unified = current < 3 ? ('tool-calls' as const) : ('stop' as const)
        yield { type: 'finish' as const, finishReason: { unified, raw: undefined }, usage: NO_USAGE }
      }
      return { stream: NodeStream.from(parts()) as unknown as ReadableStream }
    },
  })
}

describe('a tool of the AI SDK', () => {
  const seen: string[] = []
  const who = tool({
    inputSchema: z.object({}),
    execute: withAccount({ provider: 'github', toolName: 'tool', effect: 'read' }, async (_input: object, account) => {
      await turn()
      seen.push(await account.getToken())
      return { accountId: account.accountId }
    }),
  })

  /** A chat whose answer is read long after its request. */
  const chat = (user: string) =>
    AgentContext.fromIdentities([of(user)], { userId: user }).respond(() => {
      const { stream } = streamText({
        model: lateModel('who'),
        prompt: 'Who?',
        tools: { who },
        stopWhen: isStepCount(5),
      })
      const chunks = toUIMessageStream({ stream }).pipeThrough(
        new TransformStream({ transform: (chunk, controller) => controller.enqueue(`${JSON.stringify(chunk)}\n`) }),
      )
      return new Response(chunks.pipeThrough(new TextEncoderStream()))
    })

  it('has the account of its own user when it is called late in a stream', async () => {
    const users = Array.from({ length: 20 }, (_, index) => `user${index}`)
    const answers = await Promise.all(
      (await Promise.all(users.map(chat))).map((response, index) =>
        // Each is read in the scope of another user.
        withIdentities([of('stranger')], async () => [users[index], await response.text()] as const),
      ),
    )
    for (const [user, text] of answers) {
      const used = [...text.matchAll(/github\.\w+/g)].map(String)
      expect(used).toEqual([`github.${user}`, `github.${user}`])
    }
    expect(seen.sort()).toEqual(users.flatMap((user) => [`CANARY_AT_${user}`, `CANARY_AT_${user}`]).sort())
  })

  it('has it too as an async generator that is read outside', async () => {
    const progress = withAccount(
      { provider: 'github', toolName: 'tool', effect: 'read' },
      async function* (_input: object, account: ToolAccount) {
        for (let step = 0; step < 3; step++) {
          await turn()
          yield {
            step,
            whose: (await account.getToken()).slice(-3),
            context: AgentContext.current().userId,
            leak: [await account.getToken()],
          }
        }
      },
    )
    const source = AgentContext.fromIdentities([of('ada')], { userId: 'ada' }).run(() => progress({}, {}))
    const values: unknown[] = []
    await withIdentities([of('bob')], async () => {
      for await (const value of source) values.push(value)
    })
    expect(values).toEqual([0, 1, 2].map((step) => ({ step, whose: 'ada', context: 'ada', leak: ['[redacted]'] })))
    const missing = withIdentities([], () => progress({}, {}))[Symbol.asyncIterator]()
    await expect(missing.next()).rejects.toThrow(AuthorizationRequired)
  })

  it('case 83: its token is in no message, tool call, result, step, callback or telemetry', async () => {
    const log: UseEntry[] = []
    const told: unknown[] = []
    const tell = (...event: unknown[]) => void told.push(event)
    const identity = of('ada')
    const tools = {
      list_repos: tool({
        inputSchema: z.object({}),
        contextSchema: z.custom<{ getToken(): Promise<string> }>(),
        execute: withAccount(
          { provider: 'github', onUse: (entry) => log.push(entry), toolName: 'tool', effect: 'read' },
          async (_input: object, account) => {
            // A careless tool, which returns and logs everything.
            const token = await account.getToken()
            return { account, token, header: `Bearer ${token}`, encoded: btoa(token), list: [{ deep: token }] }
          },
        ),
      }),
      fails: tool({
        inputSchema: z.object({}),
        execute: withAccount(
          { provider: 'github', toolName: 'tool', effect: 'read' },
          async (_input: object, account): Promise<string> => {
            throw Object.assign(new Error(`GET https://x.test/?t=${await account.getToken()}`), {
              token: await account.getToken(),
            })
          },
        ),
      }),
    }
    let step = 0
    const names = ['list_repos', 'fails']
    const model = new MockLanguageModelV4({
      doGenerate: async () => {
        const toolName = names[step++]
        return {
          content: toolName
            ? [{ type: 'tool-call' as const, toolCallId: `c${step}`, toolName, input: '{}' }]
            : [{ type: 'text' as const, text: 'Done.' }],
          finishReason: { unified: toolName ? ('tool-calls' as const) : ('stop' as const), raw: undefined },
          usage: NO_USAGE,
          warnings: [],
        }
      },
    })
    const integration = new Proxy({}, { get: (_, name) => (String(name).startsWith('on') ? tell : undefined) })
    const result = await AgentContext.fromIdentities([identity]).run(() =>
      generateText({
        model,
        prompt: 'List my repositories',
        tools,
        toolsContext: { list_repos: { getToken: async () => identity.accessToken } },
        stopWhen: isStepCount(5),
        onStepFinish: tell,
        onFinish: tell,
        onToolExecutionStart: tell,
        onToolExecutionEnd: tell,
        telemetry: { isEnabled: true, recordInputs: true, recordOutputs: true, integrations: [integration as never] },
      }),
    )
    expect(result.steps).toHaveLength(3)
    const everything = all([result.steps, result.response, model.doGenerateCalls, told, log])
    expect(everything).toContain('[redacted]')
    expect(told.length).toBeGreaterThan(5)
    for (const secret of [identity.accessToken, btoa(identity.accessToken).slice(0, -2)]) {
      expect(everything).not.toContain(secret)
    }
    // The search finds what is there: a token as a value in the tools' context is on every step.
    const naive = await generateText({
      model: new MockLanguageModelV4({
        doGenerate: {
          content: [{ type: 'text', text: '' }],
          finishReason: { unified: 'stop', raw: undefined },
          usage: NO_USAGE,
          warnings: [],
        },
      }),
      prompt: 'x',
      tools: {
        naive: tool({ inputSchema: z.object({}), contextSchema: z.object({ token: z.string() }), execute: () => 1 }),
      },
      toolsContext: { naive: { token: identity.accessToken } },
    })
    expect(all(naive.steps)).toContain(identity.accessToken)
    await expect(convertToModelMessages([])).resolves.toEqual([])
  })
})

describe('withAccount', () => {
  it('throws a request for a missing account or scope that runtimes can pass on', async () => {
    const log: UseEntry[] = []
    const run = withAccount(
      {
        provider: github(),
        scopes: ['repo'],
        toolName: 'list_repos',
        onUse: (entry) => log.push(entry),
        effect: 'read',
      },
      async () => 'done',
    )
    for (const identities of [[], [{ ...of('ada'), scopes: ['gist'] }]]) {
      const error = await withIdentities(identities, () => run({}, { toolCallId: 'call-1' })).catch(
        (one: unknown) => one,
      )
      expect(error).toBeInstanceOf(AuthorizationRequired)
      expect(readConnectRequest(JSON.parse(JSON.stringify(error)))).toMatchObject({
        type: 'authorization_required',
        provider: 'github',
        scopes: ['repo'],
        toolName: 'list_repos',
        toolCallId: 'call-1',
      })
    }
    expect(await withIdentities([of('ada')], () => run({}, {}))).toBe('done')
    expect(log.map(({ action, accountId }) => [action, accountId])).toEqual([
      ['missing', undefined],
      ['missing', undefined],
      ['used', 'github.ada'],
    ])
  })

  it("works as a tool of an MCP server, which is called with arguments and the SDK's extra object", async () => {
    const callback = withAccount(
      { provider: 'github', toolName: 'tool', effect: 'read' },
      async ({ owner }: { owner: string }, account, extra: { requestId: number }) => ({
        content: [
          { type: 'text', text: `${extra.requestId}: ${owner} as ${account.accountId}, ${await account.getToken()}` },
        ],
      }),
    )
    const result = await withIdentities([of('ada')], () => callback({ owner: 'octo' }, { requestId: 7 }))
    expect(result).toEqual({ content: [{ type: 'text', text: '7: octo as github.ada, [redacted]' }] })
  })

  it('calls the API of its provider only', async () => {
    const sent: unknown[] = []
    const fetch: typeof globalThis.fetch = async (url, init) => {
      sent.push([String(url), new Headers(init?.headers).get('authorization')])
      return Response.json({ ok: true })
    }
    const run = withAccount(
      { provider: github(), fetch, toolName: 'tool', effect: 'read' },
      async (url: string, account) => {
        const response = await account.fetch(url, { method: 'POST' })
        return response.json()
      },
    )
    const call = (url: string) => withIdentities([of('ada')], () => run(url, {}))
    expect(await call('/user/repos')).toEqual({ ok: true })
    await expect(call('https://evil.test/')).rejects.toMatchObject({ code: 'access_denied' })
    expect(sent).toEqual([['https://api.github.com/user/repos', 'Bearer CANARY_AT_ada']])
    const byId = withAccount({ provider: 'github', toolName: 'tool', effect: 'read' }, (_input: object, account) =>
      account.fetch('/user'),
    )
    await expect(withIdentities([of('ada')], () => byId({}, {}))).rejects.toMatchObject({ code: 'misuse' })
  })
})
