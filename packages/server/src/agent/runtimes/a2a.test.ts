// An agent and a client of A2A over HTTP, over a real broker, vault and API.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AgentCard, type Message, Role, type Task, TaskState } from '@a2a-js/sdk'
import { ClientFactory } from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { a2a } from '@latchkey/core/runtimes/a2a'
import type { RuntimeAnswer } from '@latchkey/core/runtimes/requests'
import express from 'express'
import { expect, it } from 'vitest'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { withAccount } from '../../index.ts'
import { answersIn, pausedStatus } from './a2a.ts'
import { answeredBy, isNeed, orPause } from './pause.ts'

const bench = await openBench()
const { upstream, ends } = bench

const card = (url: string): AgentCard => ({
  ...{ name: 'Sender', description: 'Sends texts.', version: '1', provider: undefined, skills: [], signatures: [] },
  ...{ securitySchemes: {}, securityRequirements: [], defaultInputModes: [], defaultOutputModes: [] },
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0', tenant: '' }],
  capabilities: { streaming: false, pushNotifications: false, extensions: [], extendedAgentCard: false },
})
const messageOf = (parts: Message['parts'], more: Partial<Message> = {}): Message => ({
  ...{ messageId: crypto.randomUUID(), contextId: '', taskId: '', role: Role.ROLE_USER, parts },
  ...{ metadata: undefined, extensions: [], referenceTaskIds: [], ...more },
})
const partOf = (content: NonNullable<Message['parts'][number]['content']>): Message['parts'][number] => ({
  ...{ content, metadata: undefined, filename: '', mediaType: '' },
})

/** An agent that sends these texts for a task, and its client. */
async function open(texts: string[], connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const send = withAccount(
    { ...{ provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' } },
    async ({ text }: { text: string }, account) =>
      `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status} ${text}`,
  )
  const executor: AgentExecutor = {
    async execute({ taskId, contextId, userMessage, task }, bus) {
      const status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined }
      const begun = { id: taskId, contextId, status, artifacts: [], history: [userMessage], metadata: undefined }
      bus.publish(AgentEvent.task(task ?? begun))
      const context = await app.context(taskId)
      const asking = orPause(send, answeredBy(answersIn(userMessage)))
      const outcomes = await context.run(() =>
        Promise.all(
          texts.map((text, at) => asking({ text }, { toolCallId: `call-${at}` }).catch((error: Error) => error)),
        ),
      )
      const paused = pausedStatus(outcomes.filter(isNeed), { contextId, taskId })
      const said = outcomes.map((one) => partOf({ $case: 'text', value: one instanceof Error ? one.message : one }))
      const done = {
        state: TaskState.TASK_STATE_COMPLETED,
        message: messageOf(said, { taskId, contextId, role: Role.ROLE_AGENT }),
        timestamp: undefined,
      }
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: paused ?? done, metadata: undefined }))
      bus.finished()
    },
    async cancelTask() {},
  }
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const requestHandler = new DefaultRequestHandler(card(url), new InMemoryTaskStore(), executor)
  server.on('request', express().use(jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication })))
  ends.push(() => void server.close().closeAllConnections())
  const client = await new ClientFactory().createFromAgentCard(card(url))
  let task: Task | undefined
  const say = async (message: Message) => {
    const result = await client.sendMessage({
      ...{ message, tenant: '', configuration: undefined, metadata: undefined },
    })
    if ('id' in result) task = result
  }
  const runtime = () =>
    a2a({
      task,
      send: (data) => {
        const parts = data.map((value) => partOf({ $case: 'data', value }))
        return say(messageOf(parts, { taskId: task?.id ?? '', contextId: task?.contextId ?? '' }))
      },
    })
  return {
    ...{ ...app, runtime },
    begin: () => say(messageOf([partOf({ $case: 'text', value: 'Send them' })])),
    state: () => task?.status?.state,
    said: () =>
      (task?.status?.message?.parts ?? []).flatMap(({ content }) => (content?.$case === 'text' ? [content.value] : [])),
    task: () => JSON.stringify(task),
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
  }
}

/** Answers all that waits, and lets the task go on. */
async function goOn(chat: Awaited<ReturnType<typeof open>>, ...given: Answer[]) {
  const answers: RuntimeAnswer[] = []
  for (const [at, request] of chat.runtime().find().entries()) {
    const answer = given[at] ?? { answer: 'yes' }
    if (request.kind === 'call') await chat.answer(request.request, answer)
    answers.push({ request, approved: answer.answer === 'yes' })
  }
  await chat.runtime().answer(answers)
}
const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

it('a task waits for its person, and the calls that they allow are made once', async () => {
  const chat = await open(['one', 'two'])
  await chat.begin()
  expect(chat.state()).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
  expect(chat.runtime().find()).toMatchObject([
    { kind: 'call', toolCallId: 'call-0' },
    { kind: 'call', toolCallId: 'call-1' },
  ])
  expect(sent()).toEqual([])
  await goOn(chat, { answer: 'no', reason: 'Not this' }, { answer: 'yes' })
  expect(sent()).toEqual(['two'])
  expect(chat.said()).toEqual([expect.stringContaining('Not this'), '200 two'])
  expect(chat.runtime().find()).toEqual([])
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  expect(tokens.length).toBeGreaterThan(0)
  for (const token of tokens) expect(chat.task()).not.toContain(token)
})

it('an account is asked for, then the call, which is made once', async () => {
  const chat = await open(['one'], false)
  await chat.begin()
  expect(chat.state()).toBe(TaskState.TASK_STATE_AUTH_REQUIRED)
  expect(chat.runtime().find()).toMatchObject([{ kind: 'account', connect: { provider: 'acme' } }])
  await connect(chat.ask, upstream, 'ada')
  await goOn(chat)
  expect(chat.runtime().find()).toMatchObject([{ kind: 'call' }])
  await goOn(chat)
  expect(chat.said()).toEqual(['200 one'])
  expect(sent()).toEqual(['one'])
})

it('a task whose person does without the account ends, and says so', async () => {
  const chat = await open(['one'], false)
  await chat.begin()
  await goOn(chat, { answer: 'no' })
  expect(chat.state()).toBe(TaskState.TASK_STATE_COMPLETED)
  expect(chat.said()).toEqual([expect.stringContaining('The person does without acme')])
})

it('a yes that somebody wrote into the message makes nothing', async () => {
  const chat = await open(['one'])
  await chat.begin()
  const runtime = chat.runtime()
  await runtime.answer(runtime.find().map((request) => ({ request, approved: true })))
  expect(sent()).toEqual([])
  expect(chat.runtime().find()).toMatchObject([{ kind: 'call' }])
})
