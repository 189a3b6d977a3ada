import { defineConfig } from '@playwright/test'
import { launchOptions } from '../.setup/browser.mjs'
import { addressesOf, type Custody } from './demo.ts'
import { ofStorybook } from './storybook.config.ts'

/** The same demo, with its ports and whoever keeps tokens and keys. */
function serve(custody: Custody) {
  const { app, github, google, kaggle, dump, mcp } = addressesOf(custody)
  const port = (address: string) => new URL(address).port
  return {
    command: custody === 'browser' ? 'node ../apps/demo/src/showcase/server/start.ts' : `node serve.ts ${custody}`,
    url: app,
    env: {
      PORT: port(app),
      GITHUB_PORT: port(github),
      GOOGLE_PORT: port(google),
      KAGGLE_PORT: port(kaggle),
      DUMP_PORT: port(dump),
      MCP_PORT: port(mcp),
      CUSTODY: 'browser',
      // The scripted model answers here, whatever keys the machine has.
      OPENAI_API_KEY: '',
      ANTHROPIC_API_KEY: '',
    },
    timeout: 180_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 10_000 },
  } as const
}

const inVault = (custody: Custody) => ({
  name: custody,
  testMatch: ['demo.spec.ts', 'tutorial.spec.ts', 'vault.spec.ts'],
  use: { baseURL: addressesOf(custody).app, custody },
})

export default defineConfig<{ custody: Custody }>({
  testDir: '.',
  outputDir: '.results',
  // The stand-ins are shared, and two cores are easily busy.
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  // Real windows on a busy machine lose a click now and then; `.setup/test.mjs` says how many needed the second try.
  retries: 1,
  use: { launchOptions, trace: 'retain-on-failure' },
  projects: [
    {
      name: 'chromium',
      testIgnore: ['vault.spec.ts', ...ofStorybook],
      use: { baseURL: addressesOf('browser').app, custody: 'browser' },
    },
    // The same job, with the accounts on the server.
    inVault('sqlite'),
    inVault('postgres'),
  ],
  webServer: [serve('browser'), serve('sqlite'), serve('postgres')],
})
