import { ServiceCredentials } from '@latchkey/server'

export interface Service {
  clientId: string
  clientSecret: string
  tokenEndpoint: string
  api: string
}

/** A tool that calls an API with the agent's own account. */
export function createGetMetrics({ api, ...client }: Service) {
  const credentials = new ServiceCredentials({ ...client, scopes: ['metrics.read'], origins: [new URL(api).origin] })

  return async function get_metrics(): Promise<unknown> {
    const response = await credentials.fetch(`${api}/metrics`)
    return response.json()
  }
}
