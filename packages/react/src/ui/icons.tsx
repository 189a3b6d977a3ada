import type { ReactNode } from 'react'

// Shapes from simple-icons (CC0 1.0). Gmail's is divided into its five colours; Kaggle's is the K of its word mark.
const marks: Readonly<Record<string, ReactNode>> = {
  github: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <path d="M12 .3c-6.63 0-12 5.37-12 12 0 5.3 3.44 9.8 8.21 11.38.6.11.82-.26.82-.58 0-.28-.01-1.04-.01-2.04-3.34.72-4.04-1.61-4.04-1.61C4.42 18.07 3.63 17.7 3.63 17.7c-1.09-.74.08-.73.08-.73 1.21.08 1.84 1.24 1.84 1.24 1.07 1.83 2.81 1.3 3.5 1 .11-.78.42-1.3.76-1.6-2.67-.3-5.47-1.33-5.47-5.93 0-1.31.47-2.38 1.24-3.22-.14-.3-.54-1.52.1-3.18 0 0 1-.32 3.3 1.23.96-.27 1.98-.4 3-.41 1.02.01 2.04.14 3 .41 2.28-1.55 3.29-1.23 3.29-1.23.65 1.65.24 2.87.12 3.18.77.84 1.23 1.91 1.23 3.22 0 4.61-2.81 5.62-5.47 5.92.42.36.81 1.1.81 2.22 0 1.61-.01 2.9-.01 3.29 0 .32.21.69.82.57C20.57 22.09 24 17.59 24 12.3c0-6.63-5.37-12-12-12" />
    </svg>
  ),
  gmail: (
    <svg width="1em" height="1em" viewBox="0 0 24 24" aria-hidden="true">
      <path fill="#4285f4" d="M0 7.64v11.73c0 .9.73 1.64 1.64 1.64h3.82V11.73z" />
      <path fill="#34a853" d="M24 7.64v11.73c0 .9-.73 1.64-1.64 1.64h-3.82V11.73z" />
      <path fill="#ea4335" d="M5.46 11.73V4.64L12 9.55l6.54-4.91v7.09L12 16.64z" />
      <path fill="#fbbc04" d="M18.55 4.64v7.09L24 7.64V5.46c0-2.02-2.31-3.18-3.93-1.96z" />
      <path fill="#c5221f" d="M5.46 4.64v7.09L0 7.64V5.46c0-2.02 2.31-3.18 3.93-1.96z" />
    </svg>
  ),
  kaggle: (
    <svg width="1em" height="1em" viewBox="-1.45 7.3 7 7" fill="#20beff" aria-hidden="true">
      <path d="M.1 7.35c-.07 0-.1.03-.1.1v6.75c0 .07.03.1.1.1h.7c.07 0 .1-.03.1-.1v-1.48l.42-.4 1.5 1.91c.04.05.09.07.14.07h.91c.05 0 .07-.01.08-.04.01-.04.01-.07-.02-.1l-1.98-2.46 1.9-1.84c.02-.02.02-.05.01-.09-.01-.03-.04-.05-.08-.05h-.94c-.05 0-.1.02-.14.07L.91 11.61V7.45c0-.07-.03-.1-.1-.1z" />
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
