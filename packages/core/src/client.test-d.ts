// Compiled by `x:types`: a line under @ts-expect-error that is no error any more fails it.
import { apiKey, createLatchkey, type LatchkeyClient, oauth, type Provider } from './index.ts'
import { github } from './providers/github.ts'
import { kaggle } from './providers/kaggle.ts'

const acme = oauth({
  id: 'acme',
  name: 'Acme',
  authorizationEndpoint: 'https://acme.example/authorize',
  tokenEndpoint: 'https://acme.example/token',
})
const maps = apiKey({
  id: 'maps',
  name: 'Maps',
  apiBaseUrl: 'https://maps.example',
  keyUrl: 'https://maps.example/key',
})

export function idsAreInferred() {
  const client = createLatchkey({ providers: [github(), kaggle(), acme, maps] })
  client.connect('github')
  client.connect('acme', { intent: 'add-account' })
  client.connectKey('maps', { key: 'k' })
  client.getToken('kaggle')
  client.getToken({ accountId: 'github.0123456789012345678901' })
  // @ts-expect-error No provider has this id.
  client.connect('githup')
  // @ts-expect-error Nor is it a target.
  client.getToken('githup')
  // @ts-expect-error Nor does one have this key.
  client.connectKey('map', { key: 'k' })
  // @ts-expect-error What is meant is a word.
  client.connect('github', { intent: 'another' })
  return client
}

/** Components take a client of any ids. */
export const anyClient: LatchkeyClient = idsAreInferred()

export function idsOfAnyProviders(providers: readonly Provider[]) {
  return createLatchkey({ providers }).connect('whatever')
}
