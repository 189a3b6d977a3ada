import type { Preview } from '@storybook/react-vite'
import '@fontsource-variable/inter'
import '@fontsource-variable/noto-sans-arabic'
import { configure } from 'storybook/test'
import '../packages/react/src/styles.css'
import { Page } from './docs/page.tsx'
import './preview.css'

// A story shows a state, not the loading of its code.
const later = import.meta.glob('../packages/react/src/**/*.lazy.{ts,tsx}')

export default {
  async beforeAll() {
    configure({ asyncUtilTimeout: 10_000 })
    await Promise.all(Object.values(later).map((load) => load()))
  },
  tags: ['autodocs'],
  parameters: {
    // axe leaves this rule out by default.
    a11y: { test: 'error', config: { rules: [{ id: 'label-content-name-mismatch', enabled: true }] } },
    controls: { expanded: true, exclude: ['ref', 'key'] },
    docs: { container: Page, toc: { headingSelector: 'h2', title: 'On this page' } },
    layout: 'padded',
    options: {
      storySort: {
        order: [
          'Guides',
          [
            'Getting started',
            'Providers',
            'Set up',
            ['GitHub', 'Gmail', 'Kaggle'],
            'Theming',
            'Headless',
            'Agent runtimes',
            'Server',
            'Security and custody',
            'Testing',
            'Migrating from agent-runtimes',
          ],
          'Components',
        ],
      },
    },
  },
  globalTypes: {
    theme: {
      description: 'Colour scheme',
      toolbar: { title: 'Theme', icon: 'contrast', items: ['light', 'dark'], dynamicTitle: true },
    },
    dir: {
      description: 'Writing direction',
      toolbar: { title: 'Direction', icon: 'transfer', items: ['ltr', 'rtl'], dynamicTitle: true },
    },
    width: {
      description: 'Width of the place that the component is in',
      toolbar: { title: 'Width', icon: 'ruler', items: ['full', '640px', '320px', '220px'], dynamicTitle: true },
    },
  },
  initialGlobals: { theme: 'light', dir: 'ltr', width: '640px' },
  decorators: [
    (Story, { globals: { theme, dir, width }, viewMode }) => {
      // A page of documentation has the toolbar's scheme, and stories of both schemes.
      const isDocs = viewMode === 'docs'
      if (!isDocs) {
        document.documentElement.dataset.theme = theme
        document.documentElement.dir = dir
      }
      return (
        <div
          data-theme={isDocs ? theme : undefined}
          dir={isDocs ? dir : undefined}
          data-width={width}
          style={{
            inlineSize: width === 'full' ? '100%' : width,
            maxInlineSize: '100%',
            ...(isDocs && { colorScheme: theme, background: 'Canvas' }),
          }}
        >
          <Story />
        </div>
      )
    },
  ],
} satisfies Preview
