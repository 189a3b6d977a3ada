'use client'
import { type McpOptions, type McpProvider, mcp, mcpOptions } from '@latchkey/core/mcp'
import { useMemo, useSyncExternalStore } from 'react'

/** What {@link useMcpServers} returns. */
export interface UseMcpServers {
  /** The servers of the list, oldest first: pass them to `LatchkeyProvider` beside the app's own providers. */
  providers: readonly McpProvider[]
  /** Adds servers, or replaces those with the same id: for `onAdd` of `AddMcpServer`. */
  add: (added: { providers: readonly McpProvider[] }) => void
  /** Takes a server out of the list: for `onRemoveServer` of `LatchkeyProvider`. */
  remove: (providerId: string) => void
}

/** Options of {@link useMcpServers}. */
export interface UseMcpServersOptions {
  /** Where the list is in `localStorage`: one per person of the app. @default 'latchkey-mcp-servers' */
  key?: string
}

const listeners = new Set<() => void>()
/** Lists that the browser does not store: they last as long as the page. */
const unstored = new Map<string, string>()

function subscribe(listener: () => void) {
  listeners.add(listener)
  addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    removeEventListener('storage', listener)
  }
}

function read(key: string): string {
  try {
    return unstored.get(key) ?? localStorage.getItem(key) ?? ''
  } catch {
    return ''
  }
}

function write(key: string, providers: readonly McpProvider[]): void {
  const text = JSON.stringify(providers.map(mcpOptions))
  try {
    localStorage.setItem(key, text)
    unstored.delete(key)
  } catch {
    unstored.set(key, text)
  }
  for (const listener of [...listeners]) listener()
}

/** The servers of a stored list. What is not one is left out. */
function parse(text: string): McpProvider[] {
  try {
    return (JSON.parse(text) as McpOptions[]).flatMap((options) => {
      try {
        return /^[a-z0-9-]{1,64}$/.test(options.id ?? '') ? [mcp(options)] : []
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

/** The MCP servers that a person added: kept in this browser, for all its tabs, without secrets. */
export function useMcpServers({ key = 'latchkey-mcp-servers' }: UseMcpServersOptions = {}): UseMcpServers {
  const text = useSyncExternalStore(
    subscribe,
    () => read(key),
    () => '',
  )
  return useMemo(
    () => ({
      providers: parse(text),
      add({ providers: added }) {
        const others = parse(read(key)).filter(({ id }) => added.every((one) => one.id !== id))
        write(key, [...others, ...added])
      },
      remove(providerId) {
        write(
          key,
          parse(read(key)).filter(({ id }) => id !== providerId),
        )
      },
    }),
    [key, text],
  )
}
