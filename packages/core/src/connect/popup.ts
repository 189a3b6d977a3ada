import { embedded, FLOW_KEY, tried } from './window.ts'

/**
 * Both ends of the conversation with the callback page. The near end is the app; the far end, {@link callback}, is the
 * page that the authorization server sends the person back to. They meet on a BroadcastChannel named after the flow's
 * state, a name that nothing else of ours has, because anybody can link to the callback page with a state of their own: `window.opener` and `popup.closed` are cut or lie as soon as a server sets Cross-Origin-Opener-Policy.
 */

/** Listens for the response of the flow with this state, once; acknowledges it, so the window closes. */
export function listen(state: string, heard: (query: string) => void): () => void {
  const channel = new BroadcastChannel(FLOW_KEY + state)
  const inside = embedded()
  const end = () => {
    channel.close()
    if (inside) removeEventListener('message', posted)
  }
  const judge = (data: unknown, acknowledge: (data: object) => void) => {
    const query = (data as { query?: unknown } | null)?.query
    if (typeof query !== 'string' || query.length > 16_384) return
    if (new URLSearchParams(query).get('state') !== state) return
    acknowledge({ heard: true })
    end()
    heard(query)
  }
  channel.onmessage = ({ data }: MessageEvent) => judge(data, (answer) => channel.postMessage(answer))
  const posted = ({ data, origin, source }: MessageEvent) => {
    if (origin === location.origin) judge(data, (answer) => (source as Window | null)?.postMessage(answer, origin))
  }
  if (inside) addEventListener('message', posted)
  return end
}

/** The flows of this tab, by state, in sessionStorage; unreadable ones are dropped. */
export const flows = {
  read: (state: string): unknown =>
    tried<unknown>(() => JSON.parse(sessionStorage.getItem(FLOW_KEY + state) ?? 'null'), null),
  /** False when sessionStorage refuses: the flow then lasts as long as the page. */
  write: (state: string, flow: object): boolean =>
    tried(() => sessionStorage.setItem(FLOW_KEY + state, JSON.stringify(flow)) === undefined, false),
  /** Where it cannot be read, nothing was written either. */
  remove: (state: string): void => tried(() => sessionStorage.removeItem(FLOW_KEY + state), undefined),
  /** The states of this person's flows; several may have used this tab. */
  states: (prefix: string): string[] =>
    tried(() => Object.keys(sessionStorage), []).flatMap((key) => {
      const state = key.slice(FLOW_KEY.length)
      if (!key.startsWith(FLOW_KEY)) return []
      const owner = (flows.read(state) as { prefix?: unknown } | null)?.prefix ?? prefix
      return owner === prefix ? [state] : []
    }),
  clear(prefix: string): void {
    for (const state of flows.states(prefix)) flows.remove(state)
  },
}

/**
 * The far end. It is emitted, minified, into the callback page (`pnpm --filter @latchkey/core run callback`), so it
 * refers to nothing outside itself. It passes on the query of the response and never looks into it but for `state`.
 */
export function callback() {
  const { search: query, origin, pathname } = location
  const state = new URLSearchParams(query).get('state')
  const say = (text: string) => {
    document.querySelector('p')!.textContent = text
  }
  // First of all the code leaves the address bar, the history and the Referer.
  history.replaceState(0, '', pathname)
  if (!/^[\w-]{43}$/.test(state as string)) return say('Return to the app.')
  const key = `latchkey:flow:${state}`
  try {
    const flow = JSON.parse(sessionStorage.getItem(key)!)
    // Only a redirect has a place to go back to.
    if (flow.returnTo) {
      sessionStorage.setItem(key, JSON.stringify({ ...flow, response: query }))
      const home = new URL(flow.returnTo, origin)
      return location.replace(home.origin === origin ? home : '/')
    }
  } catch {}
  const channel = new BroadcastChannel(key)
  const message = { query }
  const post = () => {
    channel.postMessage(message)
    // Kept only by an app inside another site's page, which a channel does not reach.
    opener?.postMessage(message, origin)
  }
  const again = setInterval(post, 200)
  const heard = ({ data }: MessageEvent) => {
    if (!data.heard) return
    clearInterval(again)
    say('Done. You can close this window.')
    close()
  }
  channel.onmessage = heard
  self.onmessage = (event) => event.origin === origin && heard(event)
  post()
  setTimeout(() => say('Return to the app in this browser.'), 10_000)
}
