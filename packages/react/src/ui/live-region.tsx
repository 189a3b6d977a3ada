'use client'
import { createContext, type ReactNode, useCallback, useContext, useRef } from 'react'

const AnnounceContext = /* @__PURE__ */ createContext<((text: string) => void) | undefined>(undefined)

/** One polite live region for everything inside. Nested ones use the outermost, so a panel speaks with one voice. */
export function LiveRegion({ children }: { children: ReactNode }) {
  const outer = useContext(AnnounceContext)
  const region = useRef<HTMLDivElement>(null)
  // Written to the node itself: an announcement is no reason to render anything.
  const announce = useCallback((text: string) => {
    if (region.current) region.current.textContent = text
  }, [])
  if (outer) return children
  return (
    <AnnounceContext.Provider value={announce}>
      {children}
      <div ref={region} className="latchkey-unseen" role="status" />
    </AnnounceContext.Provider>
  )
}

/** Says something to people who listen instead of look. */
export function useAnnounce(): (text: string) => void {
  return useContext(AnnounceContext) ?? silence
}

function silence() {}
