// What runs in the connect card: MCP Apps in a frame of the host. `scripts/card.ts` makes `document.ts` from it.

/** What the server knows of a provider: the only words and the only address that the card has. */
export interface CardProvider {
  id: string
  name: string
  /** The app's own page where its person connects this account. */
  url: string
}

type Said = Record<string, unknown>

const isSaid = (value: unknown): value is Said => typeof value === 'object' && value !== null
const said = (value: unknown, name: string): unknown => (isSaid(value) ? value[name] : undefined)

/**
 * Shows what a result of a tool asks for, if the server knows that provider. All that is sent goes to the host: what to open is an
 * address of the server's own, and nothing of a result goes back. @see MCP Apps 2026-01-26
 */
export function card(): void {
  const known: CardProvider[] = JSON.parse(document.querySelector('script')?.textContent ?? '')
  const part = <E extends HTMLElement>(id: string) => document.getElementById(id) as E
  const [main, title, where, status] = [part('card'), part('title'), part('where'), part('status')]
  const [open, next] = [part<HTMLButtonElement>('open'), part<HTMLButtonElement>('next')]
  const { send, ask } = connect(heard)
  let shown: CardProvider | undefined

  function show(result: unknown) {
    const need = said(result, 'structuredContent')
    const asksFor = said(need, 'type') === 'authorization_required' ? said(need, 'provider') : undefined
    shown = known.find(({ id }) => id === asksFor)
    main.hidden = !shown
    next.hidden = true
    status.textContent = ''
    if (!shown) return fit()
    title.textContent = `Connect ${shown.name}`
    where.textContent = `This needs your ${shown.name} account. You connect it at ${new URL(shown.url).host}, not here.`
    open.textContent = `Connect ${shown.name}`
    fit()
  }

  /** Tells the host how tall the card is: a flat line while it says nothing. */
  const fit = () =>
    send({
      method: 'ui/notifications/size-changed',
      params: { height: Math.ceil(main.getBoundingClientRect().height) },
    })

  function paint(context: unknown) {
    const theme = said(context, 'theme')
    if (theme === 'light' || theme === 'dark') document.documentElement.style.colorScheme = theme
  }

  function heard(method: unknown, params: unknown) {
    if (method === 'ui/notifications/tool-result') show(params)
    if (method === 'ui/notifications/host-context-changed') paint(params)
  }

  async function tell(button: HTMLButtonElement, method: string, params: object, done: string, failed: string) {
    const about = shown
    button.disabled = true
    const result = await ask(method, params)
    button.disabled = false
    // Meanwhile something else may be asked for.
    if (shown !== about) return
    const isDone = result !== undefined && said(result, 'isError') !== true
    status.textContent = isDone ? done : failed
    next.hidden = !isDone || button === next
    fit()
  }

  open.onclick = () => {
    if (!shown) return
    const { url } = shown
    void tell(open, 'ui/open-link', { url }, 'Continue here when you are back.', `Open this page yourself: ${url}`)
  }
  next.onclick = () => {
    if (!shown) return
    const content = [{ type: 'text', text: `I have connected ${shown.name}. Please continue.` }]
    void tell(next, 'ui/message', { role: 'user', content }, '', 'Ask again in the chat.')
  }

  const appInfo = { name: 'latchkey-connect-card', version: '1' }
  void ask('ui/initialize', { appInfo, appCapabilities: {}, protocolVersion: '2026-01-26' }).then((result) => {
    paint(said(result, 'hostContext'))
    send({ method: 'ui/notifications/initialized', params: {} })
    fit()
  })
}

/** JSON-RPC with the window that shows this one, and with no other. */
function connect(heard: (method: unknown, params: unknown) => void) {
  const waiting = new Map<unknown, (result: unknown) => void>()
  const send = (message: object) => parent.postMessage({ jsonrpc: '2.0', ...message }, '*')
  const reply = (id: unknown, method: unknown) =>
    send(
      method === 'ping' || method === 'ui/resource-teardown'
        ? { id, result: {} }
        : { id, error: { code: -32601, message: 'Method not found' } },
    )

  addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
    if (source !== parent || !isSaid(data)) return
    const { id, method, params, result } = data
    if (method === undefined) waiting.get(id)?.(result)
    else if (id === undefined) heard(method, params)
    else reply(id, method)
  })

  let last = 0
  /** Undefined if the host answered with an error. */
  const ask = (method: string, params: object) =>
    new Promise<unknown>((resolve) => {
      last += 1
      waiting.set(last, resolve)
      send({ id: last, method, params })
    })
  return { send, ask }
}
