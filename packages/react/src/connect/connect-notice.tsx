'use client'
import { type ProviderState, providerState } from '@latchkey/core'
import type { ReactNode } from 'react'
import { useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import type { ConnectNoticeProps } from './connect-notice.lazy.tsx'

const useNotice = /* @__PURE__ */ later(async () => (await import('./events.lazy.ts')).ConnectNotice)

/** Whether there may be something to say about a provider's connect. */
export const isEventful = ({ status, reason, error, changed }: ProviderState) =>
  status === 'connecting' || Boolean(reason || error || changed)

/** What is going on with a provider's connect, and whether that is still on its way. */
export function useConnectNotice(props: ConnectNoticeProps): { notice: ReactNode; pending: boolean } {
  const eventful = useSnapshot((snapshot) => isEventful(providerState(snapshot, props.provider.id)))
  const [Notice] = useNotice(eventful)
  return { notice: eventful && Notice && <Notice {...props} />, pending: eventful && !Notice }
}
