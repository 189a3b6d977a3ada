'use client'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { SmallButton } from './ui/button.tsx'
import { Notice } from './ui/notice.tsx'
import { useFirstMessages } from './use-first-messages.ts'

/**
 * A hook for a component whose code is only loaded on intent, or while it is wanted. It gives the component, undefined
 * until then, and what asks for it. A download that fails gives a component that says so and offers to reload, beside
 * its `instead`; the next intent tries again.
 *
 * @param name the component's name in its module.
 * @param optional there is something in its place: a download that fails says nothing.
 */
export function later<Module, Name extends keyof Module>(load: () => Promise<Module>, name: Name, optional = false) {
  let loaded: Module[Name] | undefined
  return function useLater(wanted = false): readonly [Module[Name] | undefined, () => void] {
    const [Component, setComponent] = useState(() => loaded)
    const fetch = useCallback(() => {
      load()
        .then(
          (module) => {
            loaded = module[name]
            setComponent(() => loaded)
          },
          () => {
            if (!optional) setComponent(() => LoadFailed as Module[Name])
          },
        )
        // An app's test may end, and its window with it, before this comes.
        .catch(() => {})
    }, [])
    useEffect(() => {
      if (wanted && !Component) fetch()
    }, [wanted, Component, fetch])
    return [Component, fetch]
  }
}

/** What a component takes that has something to do even if its code does not come. */
export interface Fallback {
  /** Stands beside "Reload" then. */
  instead?: ReactNode
}

/** Stands where a component would be whose code did not come. */
function LoadFailed({ instead }: Fallback) {
  const messages = useFirstMessages()
  const reload = <SmallButton label={messages.reload} onPress={() => location.reload()} />
  return (
    <Notice
      tone="error"
      actions={
        <>
          {reload}
          {instead}
        </>
      }
    >
      {messages.loadFailed}
    </Notice>
  )
}
