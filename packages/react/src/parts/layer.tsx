'use client'
import { type ComponentType, type ReactNode, useState } from 'react'
import { useLanguage } from '../use-first-messages.ts'

interface LayerProps {
  /** Radix's portal of a dialog or a popover. */
  Portal: ComponentType<{ children: ReactNode }>
  children: ReactNode
}

/**
 * Puts its children at the end of the body, in the theme of the place where it is rendered and in the words' language:
 * what is in the body cannot inherit a `data-theme` or `lang` by itself.
 */
export function Layer({ Portal, children }: LayerProps) {
  const language = useLanguage()
  const [place, setPlace] = useState<HTMLElement | null>(null)
  return (
    <>
      <span ref={setPlace} hidden />
      {place && (
        <Portal>
          <div
            className="latchkey latchkey-layer"
            {...language}
            data-theme={place.closest<HTMLElement>('[data-theme]')?.dataset.theme}
          >
            {children}
          </div>
        </Portal>
      )}
    </>
  )
}
