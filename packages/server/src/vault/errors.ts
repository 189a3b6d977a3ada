import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'

export const unknown = () =>
  new LatchkeyError('not_configured', 'This provider is not among those of createBroker any more.', {
    next: 'configure',
  })

export const absent = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected.', { account, next: 'connect' })

export const ended = ({ id, provider, label }: ConnectedAccount) =>
  new LatchkeyError('invalid_token', `Access to ${label} has ended.`, { provider, account: id, next: 'reconnect' })
