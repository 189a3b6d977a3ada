// `npm run size`: minified + gzip bytes that a browser downloads, peers external: at first load; then by itself, while
// nobody touches the page; in all. Bundled from source by Vite, as most apps do it. What loads by itself is seen in a
// browser. Writes the figures to `packages/{core,react}/size.txt`. With `--check [FILTER]`: writes nothing, and fails if a
// figure is more than 1 % above the file's, or above a goal that the file's figure has met. `--files` prints the chunks.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { chromium } from '@playwright/test'
import { transformSync } from 'esbuild'
import { build } from 'vite'
import { launchOptions } from './browser.mjs'

const root = path.join(import.meta.dirname, '..')
const external = ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query']
const from = (file) => path.join(root, 'packages', file)

/** The most bytes at first load that an entry may have, once its committed figure is that small. */
const goals = {
  ...{ 'headless + hooks': 6000, 'panel (with the above)': 15_000, 'styles.css': 5000 },
  ...Object.fromEntries(
  'core/runtimes: ADK': `export * from '${from('core/src/runtimes/adk.ts')}'`,
