import type { ReactNode } from 'react'

// Shapes from simple-icons (CC0 1.0). Gmail's is divided into its five colours; Kaggle's is the K of its word mark.
const marks: Readonly<Record<string, ReactNode>> = {
  github: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <path d="M12 .297c-6.63 0-12 5.373-12 12 0 5.303 3.438 9.8 8.205 11.385.6.113.82-.258.82-.577 0-.285-.01-1.04-.015-2.04-3.338.724-4.042-1.61-4.042-1.61C4.422 18.07 3.633 17.7 3.633 17.7c-1.087-.744.084-.729.084-.729 1.205.084 1.838 1.236 1.838 1.236 1.07 1.835 2.809 1.305 3.495.998.108-.776.417-1.305.76-1.605-2.665-.3-5.466-1.332-5.466-5.93 0-1.31.465-2.38 1.235-3.22-.135-.303-.54-1.523.105-3.176 0 0 1.005-.322 3.3 1.23.96-.267 1.98-.399 3-.405 1.02.006 2.04.138 3 .405 2.28-1.552 3.285-1.23 3.285-1.23.645 1.653.24 2.873.12 3.176.765.84 1.23 1.91 1.23 3.22 0 4.61-2.805 5.625-5.475 5.92.42.36.81 1.096.81 2.22 0 1.606-.015 2.896-.015 3.286 0 .315.21.69.825.57C20.565 22.092 24 17.592 24 12.297c0-6.627-5.373-12-12-12" />
    </svg>
  ),
  gmail: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" aria-hidden="true">
      <path fill="#4285f4" d="M0 7.64v11.726c0 .904.732 1.636 1.636 1.636h3.819V11.73z" />
      <path fill="#34a853" d="M24 7.64v11.726c0 .904-.732 1.636-1.636 1.636h-3.819V11.73z" />
      <path fill="#ea4335" d="M5.455 11.73V4.64L12 9.548l6.545-4.91v7.092L12 16.64z" />
      <path fill="#fbbc04" d="M18.545 4.638v7.092L24 7.64V5.457c0-2.023-2.309-3.178-3.927-1.964z" />
      <path fill="#c5221f" d="M5.455 4.64v7.09L0 7.64V5.457c0-2.023 2.309-3.178 3.927-1.964z" />
    </svg>
  ),
  kaggle: (
    <svg width="1em" height="1em" viewBox="-1.45 7.3 7 7" fill="#20beff" aria-hidden="true">
      <path d="M.1025 7.3475c-.0681 0-.1022.0341-.1022.102v6.752c0 .0681.034.1022.1022.1022h.7049c.068 0 .1022-.034.1022-.1023v-1.481l.4187-.3985 1.5016 1.91c.041.0477.0884.0716.143.0716h.9091c.0476 0 .0748-.0135.0817-.0407.0135-.041.0066-.075-.0206-.1023l-1.9816-2.4618 1.9002-1.8384c.0204-.0205.0237-.051.01-.092-.0137-.0339-.0408-.051-.0816-.051h-.9398c-.0477 0-.0953.024-.143.0716L.9096 11.607V7.4496c0-.0679-.0342-.102-.1022-.102z" />
    </svg>
  ),
}

/**
 * A provider's brand mark: the app's own one, a built-in one, or the first letter of its name. Decorative, because a
 * name is always beside it.
 */
export function brandMark(id: string, name: string, own: Readonly<Record<string, ReactNode>>): ReactNode {
  return own[id] ?? marks[id] ?? <span aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>
}

/** Three dots: there is more. */
export function Dots() {
  return (
    <svg viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
      <path d="M3 6.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8m5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8m5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8" />
    </svg>
  )
}
