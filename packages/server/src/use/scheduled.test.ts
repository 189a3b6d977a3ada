import { describe, expect, it } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { APP, asPage, connect, KEY, openBench } from '../../fixtures/person-app.ts'
import { createBroker, type VaultBroker } from '../index.ts'
import { localKeys } from '../vault/index.ts'

const { upstream, ends } = await openBench()

async function open() {
  const provider = providerAt(upstream.origin)
  const vault = openVault({ keys: localKeys(KEY) })
  const tools = [
    { provider, toolName: 'list', effect: 'read' as const },
    { provider, toolName: 'send', effect: 'write' as const },
  ]
  const broker = createBroker<string>({
    providers: [provider],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: (request) => request.headers.get('cookie'),
    allowedOrigins: [APP],
    agents: { reporter: { tools }, idle: {} },
    vault,
  }) as VaultBroker<string>
  ends.push(
    () => vault.close(),
    () => broker.close(),
  )
  const ask = asPage(broker)
  const readiness = async (about: Partial<Parameters<typeof broker.readiness>[1]> = {}, user = 'ada') => {
    const { word, missing } = await broker.readiness({ user }, { agent: 'reporter', ...about })
    return [word, ...missing.map(({ tool, state }) => `${tool} ${state}`)]
  }
  return { ask, readiness, connect: (person: string) => connect(ask, upstream, person) }
}

describe('before a schedule starts a run', () => {
  it('it gets one word, and what is missing, by the rules and accounts of its person', async () => {
    const { readiness, connect, ask } = await open()
    expect(await readiness()).toEqual(['skip', 'acme/list missing', 'acme/send missing'])
    const work = await connect('work')
    expect(await readiness()).toEqual(['skip', 'acme/send asks'])
    expect(await readiness({ tools: ['acme/list'] })).toEqual(['run'])
    expect(await readiness({ policy: 'warn' })).toEqual(['run', 'acme/send asks'])
    expect(await readiness({ policy: 'run' })).toEqual(['run'])
    await ask('rules', { agent: 'reporter', of: { account: work }, preset: 'trusted' })
    expect(await readiness()).toEqual(['run'])
    // Nobody else's accounts count.
    expect(await readiness({}, 'eve')).toEqual(['skip', 'acme/list missing', 'acme/send missing'])
  })

  it('it is told of a stop, and of the accounts that it names only', async () => {
    const { readiness, connect, ask } = await open()
    const [work, home] = [await connect('work'), await connect('home')]
    await ask('rules', { agent: 'reporter', of: { account: work }, preset: 'trusted' })
    expect(await readiness()).toEqual(['run'])
    expect(await readiness({ accounts: [home] })).toEqual(['skip', 'acme/send asks'])
    expect(await readiness({ accounts: ['gone'] })).toEqual(['skip', 'acme/list missing', 'acme/send missing'])
    await ask('stop', { agent: 'reporter' })
    const stopped = ['acme/list never', 'acme/send never']
    expect(await readiness({ accounts: [work] })).toEqual(['skip', ...stopped])
  })

  it('an agent of which nothing is declared is a mistake, and no ready one', async () => {
    const { readiness } = await open()
    for (const about of [{ agent: 'idle' }, { agent: 'nobody' }, { tools: ['acme/other'] }]) {
      await expect(readiness(about)).rejects.toMatchObject({ code: 'misuse' })
    }
  })
})
