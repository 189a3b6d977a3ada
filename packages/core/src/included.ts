// Apart from the snapshot, so that a panel which runs no agent loads it only with what runs one.
import { accountsOf, type ConnectedAccount, defaultAccount, type Snapshot } from './snapshot.ts'

/** The accounts of a provider that an agent may use, oldest first. */
export function includedAccounts(snapshot: Snapshot, providerId: string, agent = ''): readonly ConnectedAccount[] {
  const excluded = snapshot.excluded[agent] ?? []
  return accountsOf(snapshot, providerId).filter(
    ({ id, provider }) => ![id, provider].some((one) => excluded.includes(one)),
  )
}

/** The account of a provider that an agent gets unless it is told another: the default, else the oldest that it may use. */
export function includedDefault(snapshot: Snapshot, providerId: string, agent?: string): ConnectedAccount | undefined {
  const included = includedAccounts(snapshot, providerId, agent)
  return included.find(({ id }) => id === defaultAccount(snapshot, providerId)?.id) ?? included[0]
}
