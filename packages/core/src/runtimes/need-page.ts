import type { ApprovalNotice } from '../agents/oversight.ts'
import { type ConnectRequest, readAccountRequest } from '../identities.ts'
import type { Need } from './requests.ts'

/**
 * The address of the app's own page for what a tool needs, for a runtime that can show nothing but a page. It says which request or
 * which account that is, and nothing of its person: a request opens for them alone.
 *
 * @param page the page, as the app has it: `https://app.example/agents`
 */
export function needPage(page: string, need: ConnectRequest | ApprovalNotice): string {
  const url = new URL(page)
  const { searchParams: said } = url
  if (need.type === 'approval_required') said.set('request', need.request)
  else {
    said.set('provider', need.provider)
    if (need.scopes?.length) said.set('scope', need.scopes.join(' '))
    if (need.toolName) said.set('tool', need.toolName)
  }
  return url.href
}

/**
 * What an address of {@link needPage} says. Null for any other: it may have come from anybody.
 *
 * @param page the page, as the app has it
 */
export function readNeedPage(page: string, address: unknown): Need | null {
  if (typeof address !== 'string' || address.length > 4096 || !URL.canParse(address)) return null
  const url = new URL(address)
  const own = new URL(page)
  if (url.username || url.password || url.origin !== own.origin || url.pathname !== own.pathname) return null
  const { searchParams: said } = url
  const request = said.get('request')
  if (request !== null) return /^[\w-]{22}$/.test(request) ? { kind: 'call', request } : null
  const [provider, toolName] = [said.get('provider'), said.get('tool')]
  const scopes = said.get('scope')?.split(' ').filter(Boolean)
  const connect = readAccountRequest({ type: 'authorization_required', provider, scopes, toolName })
  return connect && { kind: 'account', connect }
}
