'use client'
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
