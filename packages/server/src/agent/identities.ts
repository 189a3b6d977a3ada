import { type Identity, LatchkeyError } from '@latchkey/core'
import { AuthorizationRequired, hasScopes, type RequireOptions } from './authorization-required.ts'
import { currentIdentities } from './bind.ts'
import { AgentContext } from './context.ts'

/** The identity at one provider in the current run, if there is one. */
export function getIdentity(provider: string): Identity | undefined {
  return currentIdentities().find((identity) => identity.provider === provider)
}

/**
 * The identity at one provider, for a tool that requires it.
 *
 * @throws AuthorizationRequired if there is none, or it lacks the scopes; LatchkeyError `misuse` if the account is in a vault,
 *   which only {@link AgentContext.getToken} and `withAccount` can open.
 */
export function requireIdentity(provider: string, { scopes, toolName }: RequireOptions = {}): Identity {
  const identity = getIdentity(provider)
  if (identity && hasScopes(identity, scopes)) return identity
  if (!identity && AgentContext.current().accounts.some((account) => account.provider === provider)) {
    const message = `This account is in the vault: use withAccount, or AgentContext.current().getToken('${provider}').`
    throw new LatchkeyError('misuse', message, { provider })
  }
  throw new AuthorizationRequired({ provider, scopes, toolName })
}
