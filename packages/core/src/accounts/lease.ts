import type { Database } from './database.ts'

/** Who may act now, and until when unless the turn is renewed. */
interface Lease {
  owner: string
  until: number
}

const LIFE = 10_000

/**
 * A turn of one among all tabs where Web Locks are missing: a row with an owner and an end. The owner renews it while
 * it acts; one that is over belongs to a tab that is gone, and is taken over.
 */
export async function underLease<T>(database: Database, name: string, act: () => Promise<T>): Promise<T> {
  const owner = `${Math.round(performance.now())}.${crypto.getRandomValues(new Uint32Array(2)).join('.')}`
  const take = () =>
    database.change<Lease>('leases', name, (held) => {
      const now = Date.now()
      // An end further away than any turn lasts was written by another clock.
      const over = !held || held.owner === owner || held.until <= now || held.until > now + LIFE
      return over ? { owner, until: now + LIFE } : held
    })
  try {
    while ((await take())?.owner !== owner) await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 40))
  } catch {
    // Where the database is forbidden, there is no other tab to wait for.
    return act()
  }
  const renewing = setInterval(() => void take().catch(() => {}), LIFE / 3)
  try {
    return await act()
  } finally {
    clearInterval(renewing)
    await database
      .change<Lease>('leases', name, (held) => (held?.owner === owner ? undefined : held))
      .catch(() => undefined)
  }
}
