import { globSync } from 'node:fs'
import type { StorybookConfig } from '@storybook/react-vite'
import remarkGfm from 'remark-gfm'

/** The folders of packages/react/src. A story's address does not name the folder, so it survives a move. */
const rooms = globSync('../packages/react/src/*/', { cwd: import.meta.dirname })
if (rooms.length === 0) throw new Error('packages/react/src has no folders: where are the stories?')

export default {
  framework: '@storybook/react-vite',
  stories: [
    './docs/**/*.mdx',
    { directory: './docs', files: '*.stories.tsx', titlePrefix: 'Components' },
    ...rooms.map((room) => ({ directory: room, files: '*.stories.tsx', titlePrefix: 'Components' })),
  ],
  staticDirs: ['./public'],
  addons: [
    // Tables in guides are GitHub's Markdown.
    {
      name: '@storybook/addon-docs',
      options: { mdxPluginOptions: { mdxCompileOptions: { remarkPlugins: [remarkGfm] } } },
    },
    '@storybook/addon-a11y',
    '@storybook/addon-vitest',
  ],
  core: { disableTelemetry: true, disableWhatsNewNotifications: true },
  typescript: { reactDocgen: 'react-docgen' },
} satisfies StorybookConfig
