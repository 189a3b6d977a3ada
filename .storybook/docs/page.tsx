import { DocsContainer, type DocsContainerProps } from '@storybook/addon-docs/blocks'
import { createContext, type PropsWithChildren, useEffect, useState } from 'react'
import { GLOBALS_UPDATED, SET_GLOBALS } from 'storybook/internal/core-events'
import { addons } from 'storybook/preview-api'
import { dark, light } from '../theme.ts'
import './page.css'

/** Whether the page is dark. */
export const Dark = createContext(false)

/** What the toolbar has chosen before it says anything: it is in the address of the page. */
const chosenFirst = () =>
  /(?:^|;)theme:dark(?:;|$)/.test(new URLSearchParams(location.search).get('globals') ?? '') ? 'dark' : 'light'

/** A page of documentation, in the colour scheme of the toolbar as the stories in it are. */
export function Page(props: PropsWithChildren<DocsContainerProps>) {
  const [theme, setTheme] = useState<string>(chosenFirst)
  useEffect(() => {
    const channel = addons.getChannel()
    const follow = ({ globals }: { globals: { theme?: string } }) => setTheme(globals.theme ?? 'light')
    channel.on(SET_GLOBALS, follow)
    channel.on(GLOBALS_UPDATED, follow)
    return () => {
      channel.off(SET_GLOBALS, follow)
      channel.off(GLOBALS_UPDATED, follow)
    }
  }, [])
  useEffect(() => {
    document.documentElement.dataset.theme = theme
  }, [theme])
  const isDark = theme === 'dark'
  return (
    <Dark.Provider value={isDark}>
      <DocsContainer {...props} theme={isDark ? dark : light} />
    </Dark.Provider>
  )
}
