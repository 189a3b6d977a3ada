/**
 * Both ends of the conversation with the callback page. The near end is the app; the far end, {@link callback}, is the
 * page that the authorization server sends the person back to. They meet on a BroadcastChannel named after the flow's
 * state: `window.opener` and `popup.closed` are cut or lie as soon as a server sets Cross-Origin-Opener-Policy.
 */

const FLOW_KEY = 'latchkey:flow:'
const CHANNEL = 'latchkey:'

/**
 * Opens the window of a flow. Call it in the click's own tick: after an await, browsers take it for an advertisement.
 * The opener is cut before any foreign page loads, so that page cannot navigate the app.
 *
 * @returns null when the browser blocked it.
 */
export function openWindow(): Window | null {
  const [width, height] = [600, 700]
  const left = Math.max(0, Math.round(screenX + (outerWidth - width) / 2))
  const top = Math.max(0, Math.round(screenY + (outerHeight - height) / 2))
  const opened = open('about:blank', '_blank', `popup,width=${width},height=${height},left=${left},top=${top}`)
  if (opened) opened.opener = null
  return opened
}

/**
 * Closes a window that has not left for the authorization server yet. Once it has, its opener is cut and only the
 * person and the callback page can close it: asking anyway does nothing but write to the console.
 */
export function closeWindow(opened: Window | null): void {
  try {
    // Throws for a foreign page.
    if (opened?.location.href) opened.close()
  } catch {}
}

/** Listens for the response of the flow with this state, once; acknowledges it, so the window closes. */
export function listen(state: string, heard: (query: string) => void): () => void {
  const channel = new BroadcastChannel(CHANNEL + state)
  channel.onmessage = ({ data }: MessageEvent) => {
    if (typeof data?.query !== 'string' || data.query.length > 16_384) return
    if (new URLSearchParams(data.query).get('state') !== state) return
    channel.postMessage({ heard: true })
    channel.close()
    heard(data.query)
  }
  return () => channel.close()
}

/** The flows of this tab, by state, in sessionStorage; unreadable ones are dropped. */
export const flows = {
  read(state: string): unknown {
    try {
      return JSON.parse(sessionStorage.getItem(FLOW_KEY + state) ?? 'null')
    } catch {
      return null
    }
  },
  /** False when sessionStorage refuses: the flow then lasts as long as the page. */
  write(state: string, flow: object): boolean {
    try {
      sessionStorage.setItem(FLOW_KEY + state, JSON.stringify(flow))
      return true
    } catch {
      return false
    }
  },
  remove(state: string): void {
    try {
      sessionStorage.removeItem(FLOW_KEY + state)
    } catch {
      // Where it cannot be read, nothing was written either.
    }
  },
  states(): string[] {
    try {
      return Object.keys(sessionStorage).flatMap((key) =>
        key.startsWith(FLOW_KEY) ? [key.slice(FLOW_KEY.length)] : [],
      )
    } catch {
      return []
    }
  },
}

/**
 * The far end. It is emitted, minified, into the callback page (`pnpm --filter @latchkey/core run callback`), so it
 * refers to nothing outside itself. It passes on the query of the response and never looks into it but for `state`.
 */
export function callback(): void {
  const query = location.search
  const state = new URLSearchParams(query).get('state')
  const say = (text: string) => {
    document.querySelector('p')!.textContent = text
  }
  // First of all the code leaves the address bar, the history and the Referer.
  history.replaceState(null, '', location.pathname)
  if (!state) {
    say('Return to the app.')
    return
  }
  const key = `latchkey:flow:${state}`
  try {
    const flow = JSON.parse(sessionStorage.getItem(key)!)
    if (flow?.mode === 'redirect') {
      sessionStorage.setItem(key, JSON.stringify({ ...flow, response: query }))
      const home = new URL(flow.returnTo, location.origin)
      location.replace(home.origin === location.origin ? home : '/')
      return
    }
  } catch {}
  const channel = new BroadcastChannel(`latchkey:${state}`)
  const post = () => channel.postMessage({ query })
  const again = setInterval(post, 200)
  channel.onmessage = ({ data }) => {
    if (!data?.heard) return
    clearInterval(again)
    say('Done. You can close this window.')
    close()
  }
  post()
  setTimeout(() => say('Return to the app in this browser, and try again there.'), 10_000)
}
