// An agent and a client of ACP, over a real broker, vault and API.
import {
  agent,
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type RequestPermissionRequest,
} from '@agentclientprotocol/sdk'
import { type AcpRequest, acp } from '@latchkey/core/runtimes/acp'
import { openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract } from '../../../fixtures/runtime-contract.ts'
import { orPermission } from './acp.ts'

const bench = await openBench()

/** Bytes from one side to the other, and all that passed. */
function wire(passed: string[]) {
  const decoder = new TextDecoder()
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      passed.push(decoder.decode(chunk))
      controller.enqueue(chunk)
    },
  })
}

runtimeContract('ACP', bench, async ({ steps, tools, context }) => {
  const read: string[] = []
  const agentApp = agent({ name: 'assistant' })
    .onRequest(methods.agent.initialize, () => ({ protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} }))
    .onRequest(methods.agent.session.new, () => ({ sessionId: 's1' }))
    .onRequest(methods.agent.session.prompt, async ({ params: { sessionId }, client: peer }) => {
      const ask = (params: RequestPermissionRequest) => peer.request(methods.client.session.requestPermission, params)
      for (const [name, text, toolCallId = crypto.randomUUID()] of steps.flat()) {
        const said = await orPermission(tools[name], ask, context)({ text }, { sessionId, toolCallId }).catch(String)
        read.push(said)
        const content = { type: 'text' as const, text: said }
        const update = { sessionUpdate: 'agent_message_chunk' as const, content }
        await peer.notify(methods.client.session.update, { sessionId, update })
      }
      return { stopReason: 'end_turn' }
    })
  const waiting: AcpRequest[] = []
  const turn = new EventTarget()
  const clientApp = client({ name: 'page' })
    .onNotification(methods.client.session.update, () => {})
    .onRequest(
      methods.client.session.requestPermission,
      ({ params }) =>
        new Promise((resolve) => {
          const one: AcpRequest = {
            params,
            respond: (answer) => {
              waiting.splice(waiting.indexOf(one), 1)
              resolve(answer)
            },
          }
          waiting.push(one)
          turn.dispatchEvent(new Event('waits'))
        }),
    )
  const passed: string[] = []
  const [there, back] = [wire(passed), wire(passed)]
  const served = agentApp.connect(ndJsonStream(back.writable, there.readable))
  const page = clientApp.connect(ndJsonStream(there.writable, back.readable))
  bench.ends.push(
    () => page.close(),
    () => served.close(),
  )
  const { agent: peer } = page
  await peer.request(methods.agent.initialize, { protocolVersion: PROTOCOL_VERSION, clientCapabilities: {} })
  const { sessionId } = await peer.request(methods.agent.session.new, { cwd: '/', mcpServers: [] })
  /** The turn that goes on, until it ends or waits. */
  let ended: Promise<unknown> = Promise.resolve()
  const settled = (act: () => unknown) =>
    new Promise<void>((resolve, reject) => {
      turn.addEventListener('waits', () => resolve(), { once: true })
      act()
      ended.then(() => resolve(), reject)
    })
  return {
    say: (text) =>
      settled(() => {
        ended = peer.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: 'text', text }] })
      }),
    runtime: () => ({ ...acp(waiting), answer: (answers) => settled(() => acp(waiting).answer(answers)) }),
    read: () => read.join('\n'),
    kept: () => passed.join(''),
  }
})
