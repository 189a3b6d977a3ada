'use client'
import { type ComponentType, useCallback, useState } from 'react'

/**
 * A hook for a component whose code is only loaded on intent. It gives the component, undefined until then, and what
 * asks for it. Unlike with `React.lazy`, a download that fails throws nothing and is tried again at the next intent.
 */
export function later<Props>(load: () => Promise<ComponentType<Props>>) {
  let loaded: ComponentType<Props> | undefined
  return function useLater(): readonly [ComponentType<Props> | undefined, () => void] {
    const [Component, setComponent] = useState(() => loaded)
    const fetch = useCallback(() => {
      load().then(
        (next) => {
          loaded = next
          setComponent(() => next)
        },
        () => {},
      )
    }, [])
    return [Component, fetch]
  }
}
