import { defineConfig } from '@playwright/test'
import { launchOptions } from '../.setup/browser.mjs'
import { addresses } from './demo.ts'

export default defineConfig({
  testDir: '.',
  outputDir: '.results',
  // The stand-ins are shared, and two cores are easily busy.
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  use: { baseURL: addresses.app, launchOptions, trace: 'retain-on-failure' },
  projects: [{ name: 'chromium' }],
  webServer: {
    command: 'node ../apps/demo/src/server/start.ts',
    url: addresses.app,
    env: {
      PORT: new URL(addresses.app).port,
      GITHUB_PORT: new URL(addresses.github).port,
      GOOGLE_PORT: new URL(addresses.google).port,
      KAGGLE_PORT: new URL(addresses.kaggle).port,
      MCP_PORT: new URL(addresses.mcp).port,
      // The scripted model answers here, whatever keys the machine has.
      OPENAI_API_KEY: '',
      ANTHROPIC_API_KEY: '',
    },
    timeout: 120_000,
    reuseExistingServer: false,
  },
})
