'use client'
import { type RefObject, useEffect } from 'react'
import { firstStop } from './focus.ts'

// Where the keyboard was last, for all cards of the page: afterwards a removed node does not say where it had been.
let last: { around: Element[]; place: Element } | undefined
let followers = 0

function follow() {
  const { activeElement: target, body } = document
  if (!target || target === body) return
  const around: Element[] = []
  for (let one: Element | null = target; one; one = one.parentElement) around.push(one)
  last = { around, place: target.closest('.latchkey-row') ?? target }
}

interface KeptFocusProps {
  card: RefObject<HTMLElement | null>
  /** Changes with whatever may take a button away. */
  situation: string
  pending: boolean
}

/**
 * Keeps the focus in its row, else in the card, when the button that had it went away with its state. While `pending`,
 * the card is about to show more, so it waits. Renders nothing; loaded once the page is painted.
 */
export function KeptFocus({ card, situation, pending }: KeptFocusProps) {
  useEffect(() => {
    if (followers++ === 0) document.addEventListener('focusin', follow)
    follow()
    return () => {
      if (--followers === 0) document.removeEventListener('focusin', follow)
    }
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the situation is what may have taken the button away.
  useEffect(() => {
    if (pending || !last || !card.current || !last.around.includes(card.current)) return
    if (!isFocusLost()) return
    firstStop(last.place.isConnected ? last.place : undefined, card.current)?.focus()
  }, [card, situation, pending])
  return null
}

/** Whether the person is still in this card, or where a button of it was. */
export function isHere(card: Element): boolean {
  return last?.around.includes(card) === true && (isFocusLost() || card.contains(document.activeElement))
}

/** Whether what had the focus is gone. Whoever clicked elsewhere, or was led on, keeps the focus that they have. */
export function isFocusLost(): boolean {
  const { activeElement, body } = document
  return !activeElement || activeElement === body
}
