import type { ServerResponse } from 'node:http'
import { version } from 'react'
import { renderToPipeableStream } from 'react-dom/server'
import { App } from './app.tsx'

/** Milliseconds until the panel's data is ready. */
const LATE = 300

/** Streams a page whose root is the app. */
export function respond(path: string, response: ServerResponse, css: string): void {
  const nonce = crypto.randomUUID()
  let there: Promise<void> | undefined
  let ready = false
  const wait = () => {
    if (ready) return
    there ??= new Promise<void>((resolve) => setTimeout(resolve, LATE)).then(() => {
      ready = true
    })
    throw there
  }
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; script-src 'self' 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:`,
  })
  response.write(
    `<!doctype html><meta name="viewport" content="width=device-width"><title>React ${version}</title><link rel="icon" href="data:,"><style nonce="${nonce}">${css}</style><body data-nonce="${nonce}"><script nonce="${nonce}" src="/observe.js"></script><div id="root">`,
  )
  const { pipe } = renderToPipeableStream(<App path={path} nonce={nonce} wait={wait} />, {
    nonce,
    bootstrapModules: ['/client.js'],
    onShellReady: () => pipe(response),
    onError: (error) => console.error(error),
  })
}
