import path from 'node:path'
import { storybookTest } from '@storybook/addon-vitest/vitest-plugin'
import react from '@vitejs/plugin-react'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type Plugin } from 'vitest/config'
import { launchOptions } from './.setup/browser.mjs'

/** React, and what is made for one React, from the package that has the oldest one that we support. */
const react18: Plugin = {
  name: 'react-18',
  enforce: 'pre',
  resolveId(id) {
    if (!/^(react|react-dom|@radix-ui\/[\w-]+|@tanstack\/react-query|@testing-library\/react)(\/|$)/.test(id)) return
    return this.resolve(id, path.join(import.meta.dirname, 'e2e/react-18/package.json'), { skipSelf: true })
  },
}

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        plugins: [react()],
        test: {
          name: 'unit',
          provide: { react: '19.' },
          include: [
            '{packages,apps}/*/src/**/*.test.{ts,tsx}',
            'packages/react/examples/*.test.tsx',
            '.storybook/docs/*.test.{ts,tsx}',
          ],
          setupFiles: ['.setup/requests.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [react18, react()],
        test: {
          name: 'react-18',
          provide: { react: '18.3.' },
          include: ['packages/react/src/**/*.test.tsx'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [storybookTest({ configDir: path.join(import.meta.dirname, '.storybook') })],
        test: {
          name: 'stories',
          testTimeout: 60_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            // What fades in is not visible at once, which is no fault of a story.
            provider: playwright({ launchOptions, contextOptions: { reducedMotion: 'reduce' } }),
            // As wide as the widest look: stories decide the width of their place.
            viewport: { width: 800, height: 900 },
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
})
