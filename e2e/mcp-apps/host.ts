// A host of MCP Apps: a chat whose model calls one tool, and shows the card that the tool names.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { AppBridge, getToolUiResourceUri, PostMessageTransport } from '@modelcontextprotocol/ext-apps/app-bridge'

/** How a host differs from the usual one. */
export interface HostOptions {
  /** What it does with a link. @default 'open' */
  links?: 'open' | 'refuse' | 'cannot'
  /** @default 'light' */
  theme?: 'light' | 'dark'
  /** It gives the card no policy, so the card has only its own. */
  isLax?: true
}

/** What the policy of a host is where a card names no domain. @see MCP Apps 2026-01-26 "Host Behavior" */
const HOST_POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:; connect-src 'none'"

const url = new URL('/mcp', location.href)
const client = new Client({ name: 'host', version: '1.0.0' })

const host = {
  opened: [] as string[],
  messages: [] as unknown[],
  heights: [] as number[],
  /** All that the host has told the card. */
  told: '',
  bridge: undefined as AppBridge | undefined,

  /** Calls the tool, and shows its card. */
  async start({ links = 'open', theme = 'light', isLax }: HostOptions = {}) {
    await client.connect(new StreamableHTTPClientTransport(url))
    const { tools } = await client.listTools()
    const uri = getToolUiResourceUri(tools[0] ?? {})
    const { contents } = await client.readResource({ uri: uri ?? '' })
    const [content] = contents
    const html = content && 'text' in content ? content.text : ''
    const frame = document.createElement('iframe')
    frame.setAttribute('sandbox', 'allow-scripts')
    document.body.append(frame)
    const target = frame.contentWindow as Window
    const bridge = new AppBridge(
      client,
      { name: 'host', version: '1.0.0' },
      { openLinks: {}, message: { text: {} } },
      {
        hostContext: { theme },
      },
    )
    bridge.onopenlink = async (params) => {
      if (links === 'cannot') throw new Error('No.')
      if (links === 'refuse') return { isError: true }
      host.opened.push(params.url)
      return {}
    }
    bridge.onmessage = async ({ content: said }) => {
      host.messages.push(said)
      void host.call()
      return {}
    }
    bridge.onsizechange = ({ height }) => void host.heights.push(height ?? -1)
    const initialized = new Promise<void>((resolve) => {
      bridge.oninitialized = () => resolve()
    })
    const transport = new PostMessageTransport(target, target)
    const { send } = transport
    transport.send = (message, options) => {
      host.told += JSON.stringify(message)
      return send.call(transport, message, options)
    }
    await bridge.connect(transport)
    host.bridge = bridge
    const policy = `<meta http-equiv="Content-Security-Policy" content="${HOST_POLICY}">`
    frame.srcdoc = isLax ? html : html.replace('<head>', `<head>${policy}`)
    await initialized
    await host.call()
  },

  /** Calls the tool as a model does, and shows what it answered. */
  async call() {
    const asked = { name: 'list', arguments: { owner: 'ada' } }
    await host.bridge?.sendToolInput({ arguments: asked.arguments })
    await host.bridge?.sendToolResult(await client.callTool(asked))
  },

  /** Another frame of the page, which is no host. */
  fromOtherFrame(message: object) {
    const other = document.createElement('iframe')
    document.body.append(other)
    const script = other.contentDocument?.createElement('script') as HTMLScriptElement
    script.textContent = `parent.frames[0].postMessage(${JSON.stringify(message)}, '*')`
    other.contentDocument?.body.append(script)
  },
}

declare global {
  interface Window {
    host: typeof host
  }
}
window.host = host
