import type { Provider } from '@latchkey/core'
import type { McpProvider } from '@latchkey/core/mcp'
import type { ReactNode } from 'react'
import { Face } from './avatar.tsx'

// Shapes from simple-icons (CC0 1.0). Gmail's is divided into its five colours; Kaggle's is the K of its word mark.
const marks: Readonly<Record<string, ReactNode>> = {
  github: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <path d="M12 .3c-6.6 0-12 5.4-12 12 0 5.3 3.4 9.8 8.2 11.4.6.1.8-.3.8-.6 0-.3 0-1 0-2-3.3.7-4-1.6-4-1.6C4.4 18.1 3.6 17.7 3.6 17.7c-1.1-.7.1-.7.1-.7 1.2 0 1.9 1.2 1.9 1.2 1 1.8 2.8 1.3 3.5 1 .1-.8.4-1.3.7-1.6-2.7-.3-5.5-1.3-5.5-5.9 0-1.3.5-2.4 1.3-3.2-.2-.3-.6-1.6.1-3.2 0 0 1-.3 3.3 1.2.9-.3 2-.4 3-.4 1 0 2 .1 3 .4 2.3-1.5 3.3-1.2 3.3-1.2.6 1.6.2 2.8.1 3.2.8.8 1.2 1.9 1.2 3.2 0 4.6-2.8 5.6-5.4 5.9.4.4.8 1.1.8 2.2 0 1.6 0 2.9 0 3.3 0 .3.2.7.8.6C20.6 22.1 24 17.6 24 12.3c0-6.6-5.4-12-12-12" />
    </svg>
  ),
  gmail: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" aria-hidden="true">
      <path fill="#4285f4" d="M0 7.6v11.8c0 .9.7 1.6 1.6 1.6h3.9V11.7z" />
      <path fill="#34a853" d="M24 7.6v11.8c0 .9-.7 1.6-1.6 1.6h-3.9V11.7z" />
      <path fill="#ea4335" d="M5.5 11.7V4.6L12 9.6l6.5-5v7.1L12 16.6z" />
      <path fill="#fbbc04" d="M18.5 4.6v7.1L24 7.6V5.5c0-2.1-2.3-3.2-3.9-2z" />
      <path fill="#c5221f" d="M5.5 4.6v7.1L0 7.6V5.5c0-2.1 2.3-3.2 3.9-2z" />
    </svg>
  ),
  kaggle: (
    <svg width="1em" height="1em" viewBox="-1.45 7.3 7 7" fill="#20beff" aria-hidden="true">
      <path d="M.1 7.35c-.07 0-.1.03-.1.1v6.75c0 .07.03.1.1.1h.7c.07 0 .1-.03.1-.1v-1.48l.42-.4 1.5 1.91c.04.05.09.07.14.07h.91c.05 0 .07-.01.08-.04.01-.04.01-.07-.02-.1l-1.98-2.46 1.9-1.84c.02-.02.02-.05.01-.09-.01-.03-.04-.05-.08-.05h-.94c-.05 0-.1.02-.14.07L.91 11.61V7.45c0-.07-.03-.1-.1-.1z" />
    </svg>
  ),
}

/**
 * A provider's brand mark: the app's own one, a built-in one, or the first letter of its name. An MCP server, which a
 * person may have given any name, has its own picture or the letter. Decorative, because a name is always beside it.
 */
export function brandMark(provider: Provider, own: Readonly<Record<string, ReactNode>>): ReactNode {
  const { id, name, mcp } = provider as Partial<McpProvider> & Provider
  return own[id] ?? ((!mcp && marks[id]) || <Face name={name} src={mcp?.icon} />)
}
