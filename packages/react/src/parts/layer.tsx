'use client'
import { type ComponentType, type ReactNode, useState } from 'react'
import { useLanguage } from '../use-first-messages.ts'

interface LayerProps {
  /** Radix's portal of a dialog or a popover. */
  Portal: ComponentType<{ children: ReactNode }>
  children: ReactNode
}

/** Every variable of styles.css. */
export const VARIABLES =
  'font radius control-radius px gap pad row head mark control scheme surface tile sunken border control-border text muted accent accent-hover on-accent hover link focus good busy warn warn-surface bad bad-surface danger danger-hover shadow'
    .split(' ')
    .map((name) => `--latchkey-${name}`)

/** Gives a node the values that the variables have at another place, where an app has set them around the components. */
function inherit(place: Element, node: Element | null) {
  if (!(node instanceof HTMLElement)) return
  const [there, here] = [getComputedStyle(place), getComputedStyle(node)]
  for (const name of VARIABLES) {
    const value = there.getPropertyValue(name)
    if (value !== here.getPropertyValue(name)) node.style.setProperty(name, value)
  }
}

/**
 * Puts its children at the end of the body, in the theme of the place where it is rendered and in the words' language:
 * what is in the body cannot inherit variables, a `data-theme` or `lang` by itself.
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
            ref={(node) => inherit(place, node)}
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
