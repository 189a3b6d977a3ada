import { Source } from '@storybook/addon-docs/blocks'
import { useContext } from 'react'
import { Dark } from './page.tsx'

const LANGUAGES = { css: 'css', json: 'json', sh: 'bash', tsx: 'tsx' } as const

/** A file that is type-checked or run by the tests, imported as text by `?raw`, as a reader would write it. */
export function Sample({ code, language = 'tsx' }: { code: string; language?: keyof typeof LANGUAGES }) {
  const dark = useContext(Dark)
  const lines = code.split('\n').filter((line) => !line.includes('biome-ignore'))
  return <Source code={lines.join('\n').trim()} language={LANGUAGES[language]} dark={dark} />
}
