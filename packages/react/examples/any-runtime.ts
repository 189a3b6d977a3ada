import type { LatchkeyClient } from '@latchkey/core'
import { identitiesFetch } from '@latchkey/core/runtimes/fetch'

/** AG-UI: `new HttpAgent({ url, fetch: agUiFetch(client, url) })` */
export const agUiFetch = (client: LatchkeyClient, url: string) => identitiesFetch(client, { url, agent: 'assistant' })

/** A2A: `new JsonRpcTransportFactory({ fetchImpl: a2aFetch(client, url) })` */
export const a2aFetch = (client: LatchkeyClient, url: string) =>
  identitiesFetch(client, { url, agent: 'assistant', at: 'params.metadata' })
