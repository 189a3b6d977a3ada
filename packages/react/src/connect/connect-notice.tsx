'use client'
import type { ProviderState } from '@latchkey/core'
import type { RefObject } from 'react'
import { useCardFacts } from '../hooks.ts'
import { later } from '../later.tsx'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import type { ConnectNoticeProps } from './connect-notice.lazy.tsx'

/** Gives what keeps the focus in a card or another place; see `KeptFocus`. */
export const useKeptFocus = /* @__PURE__ */ later(() => import('../ui/kept-focus.lazy.ts'), 'KeptFocus', true)
const useNotice = /* @__PURE__ */ later(() => import('./events.lazy.ts'), 'ConnectNotice')

/** Whether there may be something to say about a provider's connect. */
export const isEventful = ({ status, reason, error, changed }: ProviderState) =>
  status === 'connecting' || Boolean(reason || error || changed)

/**
 * A place outside of a card where an account of a provider is connected: its status, and what there is to say of the
 * connect. It says changes to people who listen. Render `keptFocus` too: it keeps the focus.
 *
 * @param situation what else may take a focused button away.
 */
export function useConnectPlace(place: RefObject<HTMLElement | null>, props: ConnectNoticeProps, situation?: unknown) {
  const { id, name } = props.provider
  const [status, state, , ...accounts] = useCardFacts(id)
  const eventful = isEventful(state)
  const [Notice] = useNotice(eventful)
  const [KeptFocus] = useKeptFocus(true)
  useSpokenStatus(name, status, accounts, state.reason)
  const keptFocus = KeptFocus && (
    <KeptFocus card={place} situation={`${status} ${state.reason} ${situation}`} pending={eventful && !Notice} />
  )
  return { status, notice: eventful && Notice && <Notice {...props} />, keptFocus }
}
