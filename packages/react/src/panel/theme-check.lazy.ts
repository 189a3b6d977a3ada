/** Text of this contrast can hardly be read. */
const LEAST = 3
const warned = new Set<string>()

/** Says once for each contrast in the console that a theme made the text on cards unreadable, and what to set. */
export function checkTheme(panel: Element): void {
  const card = panel.querySelector('.latchkey-card')
  const text = card?.querySelector('.latchkey-name')
  const ratio = card && text && contrast(getComputedStyle(text).color, getComputedStyle(card).backgroundColor)
  if (!ratio || ratio >= LEAST || warned.has(ratio.toFixed(1))) return
  warned.add(ratio.toFixed(1))
  console.warn(
    `Latchkey: text on cards has a contrast of ${ratio.toFixed(1)}. Set --latchkey-surface and --latchkey-text together, for light and for dark, or put data-theme="light" on <html> where the app has no dark mode.`,
  )
}

/** @see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: string, other: string): number | undefined {
  const [first, second] = [luminance(one), luminance(other)]
  if (first === undefined || second === undefined) return undefined
  return (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05)
}

/** Of any colour that CSS knows; undefined for one that is seen through. @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(color: string): number | undefined {
  const canvas = globalThis.OffscreenCanvas && new OffscreenCanvas(1, 1).getContext('2d')
  if (!canvas) return undefined
  canvas.fillStyle = color
  canvas.fillRect(0, 0, 1, 1)
  const [red = 0, green = 0, blue = 0, alpha] = canvas.getImageData(0, 0, 1, 1).data
  const linear = (value: number) => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4)
  return alpha === 255 ? 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) : undefined
}
