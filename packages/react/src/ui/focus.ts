'use client'
import { type RefObject, useEffect } from 'react'

/** Where a keyboard goes on in a card: connecting or cancelling that, else the account. Never what disconnects. */
const STOPS = [
  '.latchkey-connect',
  '.latchkey-row > .latchkey-actions button',
  '.latchkey-opener',
  '[data-tone=quiet] button',
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

// Where the keyboard was last, for all cards of the page: afterwards a removed node does not say where it had been.
let last: { around: EventTarget[]; place: Element } | undefined
let followers = 0

function follow(event: FocusEvent) {
  const target = event.target as Element
  last = { around: event.composedPath(), place: target.closest('.latchkey-row') ?? target }
}

/**
 * Keeps the focus in its row, else in the card, when the button that had it went away with its state. While `pending`,
 * the card is about to show more, so it waits.
 */
export function useKeptFocus(card: RefObject<HTMLElement | null>, situation: string, pending = false) {
  useEffect(() => {
    if (followers++ === 0) document.addEventListener('focusin', follow)
    return () => {
      if (--followers === 0) document.removeEventListener('focusin', follow)
    }
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the situation is what may have taken the button away.
  useEffect(() => {
    const { activeElement, body } = document
    if (pending || !last || !card.current || !last.around.includes(card.current)) return
    if (activeElement && activeElement !== body) return
    firstStop(last.place.isConnected ? last.place : undefined, card.current)?.focus()
  }, [card, situation, pending])
}

/** Whether the person is still in this card, or where a button of it was. */
export function isHere(card: Element): boolean {
  const { activeElement, body } = document
  return last?.around.includes(card) === true && (activeElement === body || card.contains(activeElement))
}
