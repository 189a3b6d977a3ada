import type { KeyFields, LatchkeyClient } from '@latchkey/core'

/**
 * Connects keys that came with the app's configuration, each once, as soon as storage was read.
 *
 * @param done ids of the providers whose turn has been.
 * @returns what ends it.
 */
export function connectGiven(
  client: LatchkeyClient,
  keys: Readonly<Record<string, KeyFields>>,
  done: Set<string>,
): () => void {
  const connect = () => {
    const { status, accounts } = client.getSnapshot()
    if (status === 'loading') return
    for (const [providerId, fields] of Object.entries(keys)) {
      if (done.has(providerId)) continue
      done.add(providerId)
      if (Object.values(accounts).some((account) => account.provider === providerId)) continue
      // A failure is in the provider's state, where its card shows it.
      client.connectKey(providerId, fields).catch(() => {})
    }
  }
  connect()
  return client.subscribe(connect)
}
