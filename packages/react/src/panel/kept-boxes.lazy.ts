interface Boxes {
  /** Width of the window that the sizes are for. */
  width: number
  /** Block sizes of the cards, by provider id; CSS pixels. */
  cards: Record<string, number>
}

/** Keeps the sizes of a panel's boxes under `key` when the page is left. Returns what ends that. */
export function keepBoxes(panel: HTMLElement, key: string): () => void {
  const keep = () => {
    const cards = [...panel.querySelectorAll<HTMLElement>('.latchkey-card')]
    if (cards.some(({ dataset }) => dataset.status === 'loading')) return
    const boxes: Boxes = {
      width: window.innerWidth,
      cards: Object.fromEntries(cards.map((card) => [card.dataset.provider, card.getBoundingClientRect().height])),
    }
    try {
      localStorage.setItem(key, JSON.stringify(boxes))
    } catch {} // A browser that keeps nothing has no accounts either.
  }
  window.addEventListener('pagehide', keep)
  return () => window.removeEventListener('pagehide', keep)
}
