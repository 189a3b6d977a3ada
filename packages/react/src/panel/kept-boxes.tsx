'use client'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useKit } from '../hooks.ts'

const KEY = 'latchkey-boxes'

// It runs before the browser paints what comes after it. The rules are in a sheet of their own: nothing that React
// compares is touched, and a rule stops applying when its card stops loading.
const reserve = `try{let b=JSON.parse(localStorage.getItem('${KEY}')),s=new CSSStyleSheet;if(b.width===innerWidth){s.replaceSync(Object.entries(b.cards).map(([i,h])=>'.latchkey-card[data-status=loading][data-provider="'+CSS.escape(i)+'"]{min-block-size:'+Number(h)+'px}').join(''));document.adoptedStyleSheets=[...document.adoptedStyleSheets,s]}}catch{}`

const loadKeeper = () => import('./kept-boxes.lazy.ts')

const never = () => () => {}

/**
 * First in a panel that comes from a server. The server knows no account, so its cards are of those who load; they get
 * the sizes here that they had when this browser left the panel, and nothing moves when they know better. Only sizes
 * are kept. Renders nothing in an app without server rendering.
 */
export function KeptBoxes() {
  const { nonce } = useKit()
  const fromServer = useSyncExternalStore(
    never,
    () => false,
    () => true,
  )
  const [served] = useState(fromServer)
  const script = useRef<HTMLScriptElement>(null)
  useEffect(() => {
    const panel = script.current?.parentElement
    if (!panel) return
    const kept = loadKeeper().then(
      ({ keepBoxes }) => keepBoxes(panel, KEY),
      () => {}, // Without sizes the next page only moves more.
    )
    return () => void kept.then((end) => end?.())
  }, [])
  if (!served) return null
  return (
    <script
      ref={script}
      nonce={nonce}
      // Browsers hide a nonce from scripts, React included.
      suppressHydrationWarning
      // biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of this module.
      dangerouslySetInnerHTML={{ __html: reserve }}
    />
  )
}
