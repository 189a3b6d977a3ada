// @vitest-environment jsdom
// Pages of CopilotKit, whose agent is one of AG-UI, over a real broker, vault and API.
import { HttpAgent } from '@ag-ui/client-0'
import { CopilotKitCore } from '@copilotkit/core'
import { agUi } from '@latchkey/core/runtimes/ag-ui'
import { identitiesBody } from '@latchkey/core/runtimes/ai-sdk'
import { expect, it } from 'vitest'
import { providerAt } from '../../../fixtures/acme.ts'
import { agUiAgent } from '../../../fixtures/ag-ui-agent.ts'
import { openApp, openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract } from '../../../fixtures/runtime-contract.ts'
import { withAccount } from '../../index.ts'

const bench = await openBench()

/** A request of the page, as its server gets it. */
interface Sent {
  headers: [name: string, value: string][]
  body: string
}

/** A page with an agent whose requests the page makes itself. */
function openPage(answer: (body: string) => Promise<Response>, bodyOf: (body: string) => unknown = (body) => body) {
  const sent: Sent[] = []
  const fetch = async (_url: string, init: RequestInit) => {
    const body = `${await bodyOf(String(init.body))}`
    sent.push({ headers: [...new Headers(init.headers)], body })
    return answer(body)
  }
  const agent = new HttpAgent({ agentId: 'assistant', url: 'https://agent.example/', fetch, threadId: 't1' })
  const copilotkit = new CopilotKitCore({
    agents__unsafe_dev_only: { assistant: agent },
    headers: { authorization: 'Session s1', 'x-app': 'mine' },
    properties: { theme: 'dark' },
  })
  const runtime = agUi(agent, (parameters) => copilotkit.runAgent({ agent, ...parameters }))
  return {
    ...{ agent, runtime, sent },
    say: (content: string) => {
      agent.addMessage({ id: crypto.randomUUID(), role: 'user', content })
      return copilotkit.runAgent({ agent })
    },
  }
}

runtimeContract('CopilotKit', bench, (stage) => {
  const server = agUiAgent(stage)
  const { agent, runtime, sent, say } = openPage(server.answer)
  return {
    ...{ say, runtime: () => runtime, read: server.read },
    kept: () => JSON.stringify([sent, agent.messages, agent.state, server.sent()]),
  }
})

it('accounts go in the body alone: they are not in headers, properties, events or what subscribers get', async () => {
  const { broker } = openApp(bench)
  const token = bench.upstream.grant('ada').access_token
  const identity = { provider: 'acme', accessToken: token, accountId: 'acme-1' }
  const accounts = identitiesBody({ getIdentities: async () => [identity] })
  const look = withAccount(
    { provider: providerAt(bench.upstream.origin), toolName: 'look', title: 'Look', effect: 'read' },
    async ({ text }: { text: string }, account) => `${(await account.fetch('/look')).status} ${text}`,
  )
  let body: unknown
  const server = agUiAgent({
    ...{ steps: [[['look', 'x']]], tools: { look, send: look, mail: look } },
    request: async (act) => {
      const about = { agent: 'assistant', run: 'turn', chat: 'c1' }
      return (await broker.agentContext('ada', body, about)).context.run(async () => act())
    },
  })
  const answer = async (sent: string) => {
    body = JSON.parse(sent)
    // What a server passes on has no accounts.
    return server.answer(JSON.stringify((await broker.agentContext('ada', body, { agent: 'assistant' })).body))
  }
  const page = openPage(answer, async (sent) => JSON.stringify({ ...JSON.parse(sent), ...(await accounts()) }))
  const heard: unknown[] = []
  page.agent.subscribe({ onEvent: ({ event, input }) => void heard.push(event, input) })
  await page.say('Look')
  expect(server.read()).toContain('200 x')
  const [sent] = page.sent
  expect(sent?.headers).toContainEqual(['authorization', 'Session s1'])
  expect(sent?.headers).toContainEqual(['x-app', 'mine'])
  expect(JSON.parse(sent?.body ?? '')).toMatchObject({ identities: [identity], forwardedProps: { theme: 'dark' } })
  expect(heard.length).toBeGreaterThan(2)
  const { identities: _, ...rest } = JSON.parse(sent?.body ?? '')
  const all = JSON.stringify([
    sent?.headers,
    rest,
    heard,
    page.agent.messages,
    page.agent.state,
    server.sent(),
    server.read(),
  ])
  expect(all).toContain('200 x')
  expect(all).not.toContain(token)
})
