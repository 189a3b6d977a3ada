// Runs before the app, and records what visibly moves or changes.

export interface Seen {
  /** Layout shifts in the panel and below it. */
  shifts: { value: number; moved: string[] }[]
  /** The values of each card's `data-status`, by provider. */
  words: Record<string, string[]>
  /** The hydration errors that React recovered from. */
  recovered: string[]
}

const seen: Seen = { shifts: [], words: {}, recovered: [] }
Object.assign(globalThis, { seen })

interface LayoutShift extends PerformanceEntry {
  value: number
  sources: { node: Node | null }[]
}

new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as LayoutShift[]) {
    const nodes = entry.sources.map(({ node }) => (node instanceof Element ? node : node?.parentElement))
    const moved = nodes.flatMap((node) => (node?.closest('.latchkey, #below') ? [node.outerHTML.slice(0, 120)] : []))
    if (moved.length > 0) seen.shifts.push({ value: entry.value, moved })
  }
}).observe({ type: 'layout-shift', buffered: true })

new MutationObserver(() => {
  for (const card of document.querySelectorAll<HTMLElement>('.latchkey-card')) {
    const { provider = '', status = '' } = card.dataset
    seen.words[provider] ??= []
    const words = seen.words[provider]
    if (words.at(-1) !== status) words.push(status)
  }
}).observe(document, { subtree: true, childList: true, attributeFilter: ['data-status'] })
