'use client'
import { createContext, type ReactNode, useCallback, useContext, useRef } from 'react'

const AnnounceContext = /* @__PURE__ */ createContext<((text: string) => void) | undefined>(undefined)

/** What was said last in a tree, and by which region. */
interface Voice {
  text?: string
  region?: Node
}

/** Shared by all regions of a provider: a panel and a chat hear of the same thing, and one of them says it. */
export const VoiceContext = /* @__PURE__ */ createContext<Voice>({})

/** One polite live region for everything inside. Nested ones use the outermost, so a panel speaks with one voice. */
export function LiveRegion({ children }: { children: ReactNode }) {
  const outer = useContext(AnnounceContext)
  const region = useRef<HTMLDivElement>(null)
  const voice = useContext(VoiceContext)
  // Written to the node itself: an announcement is no reason to render anything.
  const announce = useCallback(
    (text: string) => {
      const node = region.current
      if (!node || (voice.text === text && voice.region !== node && voice.region?.isConnected)) return
      Object.assign(voice, { text, region: node })
      node.textContent = text
    },
    [voice],
  )
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
