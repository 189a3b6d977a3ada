/** The start of every key in sessionStorage that holds a flow of this tab, by state. */
export const FLOW_KEY = 'latchkey:flow:'

/** What `act` returns; `otherwise` where the browser refuses: storage may be forbidden, a window another site's. */
export function tried<T>(act: () => T, otherwise: T): T {
  try {
    return act()
  } catch {
    return otherwise
  }
}

/** Whether this tab began flows before it was reloaded, or left for a redirect. */
export const hasFlows = (): boolean =>
  tried(() => Object.keys(sessionStorage).some((key) => key.startsWith(FLOW_KEY)), false)

/**
 * Whether this page is inside a page of another origin. Browsers then keep its storage and channels apart from those of
 * its windows, so only the opener connects the two.
 */
export const embedded = (): boolean => {
  const isForeign = (frame: Window): boolean =>
    frame !== frame.parent && (frame.parent.location.origin !== location.origin || isForeign(frame.parent))
  return tried(() => isForeign(window), true)
}

/**
 * Opens the window of a flow, or a plain tab. Call it in the click's own tick: after an await, browsers take it for an
 * advertisement. The opener is cut before any foreign page loads, so that page cannot navigate the app; but where
 * nothing else connects the two it is kept, for the configured providers that this is called for.
 *
 * @returns null when the browser blocked it.
 */
export function openWindow(tab = false): Window | null {
  const [width, height] = [600, 700]
  const left = Math.max(0, Math.round(screenX + (outerWidth - width) / 2))
  const top = Math.max(0, Math.round(screenY + (outerHeight - height) / 2))
  const features = tab ? '' : `popup,width=${width},height=${height},left=${left},top=${top}`
  const opened = open('about:blank', '_blank', features)
  if (opened && !embedded()) opened.opener = null
  return opened
}

/**
 * Closes a window that has not left for the authorization server yet. Once it has, its opener is cut and only the
 * person and the callback page can close it: asking anyway does nothing but write to the console.
 */
export function closeWindow(opened: Window | null): void {
  // Throws for a foreign page.
  tried(() => opened?.location.href && opened.close(), undefined)
}
