import type { ReactNode } from 'react'

/** A word beside a name: what kind of thing it is. */
export function Tag({ children }: { children: ReactNode }) {
  return (
    <span className="latchkey-tag" data-slot="tag">
      {children}
    </span>
  )
}
