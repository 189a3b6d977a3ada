'use client'
import { type RefObject, useEffect, useRef } from 'react'

/** Where a keyboard goes on in a card: connecting or cancelling that, else disconnecting, else its heading. */
const STOPS = [
  '.latchkey-connect',
  '[data-tone=quiet] button',
  '.latchkey-disconnect',
  '.latchkey-dots',
  '.latchkey-name',
  '.latchkey-done',
]

export function firstStop(...places: (Element | null | undefined)[]): HTMLElement | undefined {
  for (const place of places) {
    for (const stop of STOPS) {
      const found = place?.querySelector<HTMLElement>(stop)
      if (found) return found
    }
  }
  return undefined
}

/** Keeps the focus in its row, else in the card, when the button that had it went away with its state. */
export function useKeptFocus(card: RefObject<HTMLElement | null>, situation: string) {
  const inside = useRef<Element>(undefined)
  useEffect(() => {
    const follow = (event: FocusEvent) => {
      const target = event.target as Element
      inside.current = card.current?.contains(target) ? (target.closest('.latchkey-account') ?? target) : undefined
    }
    document.addEventListener('focusin', follow)
    return () => document.removeEventListener('focusin', follow)
  }, [card])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the situation is what may have taken the button away.
  useEffect(() => {
    const { activeElement, body } = document
    if (!inside.current || (activeElement && activeElement !== body)) return
    const row = inside.current.isConnected ? inside.current : undefined
    firstStop(row, card.current)?.focus()
  }, [card, situation])
}
