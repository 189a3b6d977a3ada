'use client'
import { useCallback, useEffect, useState } from 'react'
import { SmallButton } from './ui/button.tsx'
import { Notice } from './ui/notice.tsx'
import { useFirstMessages } from './use-first-messages.ts'

/**
 * A hook for a component whose code is only loaded on intent, or while it is wanted. It gives the component, undefined
 * until then, and what asks for it. A download that fails gives a component that says so and offers to reload; the next
 * intent tries again.
 *
 * @param name the component's name in its module.
 */
export function later<Module, Name extends keyof Module>(load: () => Promise<Module>, name: Name) {
  let loaded: Module[Name] | undefined
  return function useLater(wanted = false): readonly [Module[Name] | undefined, () => void] {
    const [Component, setComponent] = useState(() => loaded)
    const fetch = useCallback(() => {
      load().then(
        (module) => {
          loaded = module[name]
          setComponent(() => loaded)
        },
        () => setComponent(() => LoadFailed as Module[Name]),
      )
    }, [])
    useEffect(() => {
      if (wanted) fetch()
    }, [wanted, fetch])
    return [Component, fetch]
  }
}

/** Stands where a component would be whose code did not come. */
function LoadFailed() {
  const messages = useFirstMessages()
  return (
    <Notice tone="error" actions={<SmallButton label={messages.reload} onPress={() => location.reload()} />}>
      {messages.loadFailed}
    </Notice>
  )
}
