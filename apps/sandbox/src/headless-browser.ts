/** The result of a click: a page, or, without `html`, the URL at another origin that the browser was sent to. */
export interface Page {
  url: URL
  status: number
  html: string
}

export interface HeadlessBrowser {
  /** Follows redirects until there is a page, or a redirect to another origin. */
  open(url: string | URL): Promise<Page>
  /** Presses the button with this name, with the checkboxes of the form ticked except those named by `untick`. */
  press(page: Page, button: string, untick?: string[]): Promise<Page>
}

/** A browser with cookies and forms but no JavaScript, for tests that need no real browser. */
export function createHeadlessBrowser(): HeadlessBrowser {
  const cookies = new Map<string, string>()

  async function go(url: URL, form?: URLSearchParams): Promise<Page> {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value) cookies.set(name, value)
      else cookies.delete(name)
    }
    const location = response.headers.get('location')
    if (!location) return { url, status: response.status, html: await response.text() }
    const next = new URL(location, url)
    return next.origin === url.origin ? go(next) : { url: next, status: response.status, html: '' }
  }

  return {
    open: (url) => go(new URL(url)),
    press(page, button, untick = []) {
      const buttons = [...page.html.matchAll(/<button([^>]*)>(.*?)<\/button>/gs)]
      const pressed = buttons.find(([, attributes, text]) => (attribute(attributes, 'aria-label') ?? text) === button)
      if (!pressed) throw new Error(`There is no button "${button}" at ${page.url}:\n${page.html}`)
      const form = new URLSearchParams({
        [attribute(pressed[1], 'name') ?? '']: attribute(pressed[1], 'value') ?? '',
      })
      for (const [input] of page.html.matchAll(/<input type="checkbox"[^>]* checked>/g)) {
        const value = attribute(input, 'value') ?? ''
        if (!untick.includes(value)) form.append(attribute(input, 'name') ?? '', value)
      }
      return go(page.url, form)
    },
  }
}

const attribute = (text: string | undefined, name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(text ?? '')?.[1]
