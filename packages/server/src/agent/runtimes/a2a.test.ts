// An agent and a client of A2A over HTTP, over a real broker, vault and API.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AgentCard, type Message, Role, type Task, TaskState } from '@a2a-js/sdk'
import { ClientFactory } from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import { a2a } from '@latchkey/core/runtimes/a2a'
import express from 'express'
import { openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract } from '../../../fixtures/runtime-contract.ts'
import { answersIn, pausedStatus } from './a2a.ts'
import { answeredBy, isNeed, orPause } from './pause.ts'

const bench = await openBench()

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

runtimeContract('A2A', bench, async ({ steps, tools, request }) => {
  const read: string[] = []
  const kept: unknown[] = []
  const executor: AgentExecutor = {
    async execute({ taskId, contextId, userMessage, task }, bus) {
      const status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined }
      const begun = { id: taskId, contextId, status, artifacts: [], history: [userMessage], metadata: undefined }
      bus.publish(AgentEvent.task(task ?? begun))
      const answered = answeredBy(answersIn(userMessage))
      const outcomes: (string | Error)[] = []
      for (const [at, step] of steps.entries()) {
        for (const [nth, [name, text, id = `${at}-${nth}`]] of step.entries()) {
          const execute = orPause(tools[name], answered)
          const toolCallId = `${taskId}-${id}`
          outcomes.push(await request(() => execute({ text }, { toolCallId })).catch((error: Error) => error))
        }
        if (outcomes.some(isNeed)) break
      }
      const paused = pausedStatus(outcomes.filter(isNeed), { contextId, taskId })
      const texts = outcomes.filter((one) => !isNeed(one)).map((one) => (one instanceof Error ? one.message : one))
      read.push(...texts)
      const said = texts.map((value) => partOf({ $case: 'text', value }))
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
  bench.ends.push(() => void server.close().closeAllConnections())
  const client = await new ClientFactory().createFromAgentCard(card(url))
  let task: Task | undefined
  const send = async (message: Message) => {
    const result = await client.sendMessage({
      ...{ message, tenant: '', configuration: undefined, metadata: undefined },
    })
    kept.push(message, result)
    if ('id' in result) task = result
  }
  return {
    say: (value) => send(messageOf([partOf({ $case: 'text', value })])),
    runtime: () =>
      a2a({
        task,
        send: (data) => {
          const parts = data.map((value) => partOf({ $case: 'data', value }))
          return send(messageOf(parts, { taskId: task?.id ?? '', contextId: task?.contextId ?? '' }))
        },
      }),
    read: () => read.join('\n'),
    kept: () => JSON.stringify(kept),
  }
})
