import type { ArgTypes, Preview } from '@storybook/react-vite'
import '@fontsource-variable/inter'
import '@fontsource-variable/noto-sans-arabic'
import { configure, expect, waitFor } from 'storybook/test'
import '../packages/react/src/styles.css'
import { ComponentPage } from './docs/component-page.tsx'
import { Page } from './docs/page.tsx'
import { storySource } from './docs/usage.ts'
import './preview.css'

// A story shows a state, not the loading of its code.
const later = import.meta.glob('../packages/react/src/**/*.lazy.{ts,tsx}')

/** The statuses that a story can be called after. */
const STATUSES = {
  Disconnected: 'disconnected',
  Loading: 'loading',
  Connecting: 'connecting',
  Connected: 'connected',
  Expiring: 'expiring',
  Paused: 'paused',
  'Needs Reconnect': 'needs-reconnect',
}

/** What a docstring says after `@default`, which Storybook does not read. */
function withDefaults<Types extends ArgTypes>(argTypes: Types, component: unknown): Types {
  const { __docgenInfo: info } = (component ?? {}) as {
    __docgenInfo?: { props?: Record<string, { description?: string }> }
  }
  const entries = Object.entries(argTypes).map(([name, argType]) => {
    const [, summary] = /@default\s+([\s\S]+)/.exec(info?.props?.[name]?.description ?? '') ?? []
    if (!summary) return [name, argType]
    const { table, description } = argType
    const defaultValue = table?.defaultValue ?? { summary: summary.replaceAll('`', '').replace(/\s+/g, ' ').trim() }
    return [
      name,
      { ...argType, description: description?.replace(/\s*@default[\s\S]*/, ''), table: { ...table, defaultValue } },
    ]
  })
  return Object.fromEntries(entries) as Types
}

export default {
  async beforeAll() {
    configure({ asyncUtilTimeout: 10_000 })
    await Promise.all(Object.values(later).map((load) => load()))
  },
  tags: ['autodocs'],
  // Its hundred parts are named in 100 kB of CSS.
  loaders: [
    async ({ title }) => {
      if (title.endsWith('/Languages')) await import('@fontsource-variable/noto-sans-jp/index.css')
    },
  ],
  argTypesEnhancers: [({ argTypes, component }) => withDefaults(argTypes, component)],
  // M7: what visitors see is there, and in the state that its name says.
  async afterEach({ canvasElement, name, parameters, tags, viewMode }) {
    // A page of documentation draws many at once, and has a test of its own.
    if (viewMode === 'docs' || !tags.includes('dev')) return
    const layers = document.querySelectorAll<HTMLElement>('[role=dialog], [role=menu]')
    const seen = () =>
      [canvasElement, ...layers].filter(
        (place) => place.innerText.trim() || place.querySelector('svg, img, [aria-busy]'),
      )
    await waitFor(() => expect(seen()).not.toEqual([]))
    if (parameters.nothing) return
    const [word, status] = Object.entries(STATUSES).find(([one]) => new RegExp(`\\b${one}\\b`).test(name)) ?? []
    const isSaid = word && new RegExp(`\\b${word}\\b`, 'i').test(canvasElement.innerText)
    if (status && !isSaid) await expect(document.querySelector(`[data-status="${status}"]`)).not.toBeNull()
  },
  parameters: {
    // axe leaves this rule out by default.
    a11y: { test: 'error', config: { rules: [{ id: 'label-content-name-mismatch', enabled: true }] } },
    controls: { expanded: true, exclude: ['ref', 'key'] },
    docs: {
      container: Page,
      page: ComponentPage,
      source: { type: 'code', transform: storySource, language: 'tsx' },
      toc: { headingSelector: 'h2, h3', ignoreSelector: '.sb-unstyled *, .docs-story *', title: 'On this page' },
    },
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
            'CSS variables',
            'Headless',
            'Agent runtimes',
            'Runtimes',
            [
              'AI SDK',
              'TanStack AI',
              'assistant-ui',
              'AG-UI',
              'CopilotKit',
              'LangGraph',
              'Mastra',
              'OpenAI Agents SDK',
              'Google ADK',
              'MCP',
              'MCP Apps',
              'A2A',
              'ACP',
              'Cloudflare Agents',
              'agent-runtimes',
            ],
            'The person in charge',
            'Declare your agents and tools',
            'Server',
            'Security and custody',
            'Testing',
            'Migrating from agent-runtimes',
          ],
          'Components',
          [
            'Panel',
            ['ConnectedAccounts', 'AccountCard', 'MCP servers', 'Languages'],
            'In chat',
            ['ConnectPrompt', 'ForeignPrompt', 'AccountsMenu', 'ConnectButton'],
            'Dialogs',
            ['ApiKeyForm', 'ConsentDialog', 'DisconnectDialog', 'DifferentAccountDialog'],
            'Oversight',
            [
              'RequestCard',
              'RequestsInbox',
              'AgentAccess',
              'AccountAccess',
              'AccessPreview',
              'Readiness',
              'Activity',
              'StopButton',
            ],
            'Small parts',
            ['AccountDetails', 'AccountSwitcher', 'StatusBadge', 'ExpiryLabel', 'Headless panel'],
            'Hooks',
          ],
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
    (Story, { globals: { theme, dir, width }, parameters: { nothing }, viewMode }) => {
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
          {nothing && <p>Renders nothing: {nothing}</p>}
        </div>
      )
    },
  ],
} satisfies Preview
