import type { StorybookConfig } from '@storybook/react-vite'
import remarkGfm from 'remark-gfm'

export default {
  framework: '@storybook/react-vite',
  stories: [
    './docs/*.mdx',
    { directory: './docs', files: '*.stories.tsx', titlePrefix: 'Components' },
    { directory: '../packages/react/src', files: '**/*.stories.tsx', titlePrefix: 'Components' },
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
