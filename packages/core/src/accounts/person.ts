import type { ConnectedAccount } from '../snapshot.ts'

/** Whether it is known whose account it is. */
export const hasPerson = ({ username, email, name }: ConnectedAccount) => Boolean(username ?? email ?? name)
