// The components beside the style sheets of others: the resets and templates that most apps begin with, imported before the
// kit's styles and after them. Everything is where it is without them, and has the same colours.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { expect, type Page } from '@playwright/test'
import postcss from 'postcss'
import { compile } from 'tailwindcss'
import tailwind3 from 'tailwindcss-3'
import { unlayered } from '../packages/react/scripts/unlayered.ts'
import { buildStorybook, test } from './storybook.ts'

const root = path.join(import.meta.dirname, '..')
const text = (file: string) => readFileSync(path.join(root, file), 'utf8')
const styles = text('packages/react/src/styles.css')
const require = createRequire(import.meta.url)
const of = (id: string) => readFileSync(require.resolve(id), 'utf8')
const modules = (file: string) => text(`node_modules/${file}`)

/** What an app's own sheet is made of, and the sheet of the kit that goes with it. */
const apps: Record<string, { sheet: () => string | Promise<string>; kit: string }> = {
  'Tailwind 4': { sheet: tailwind4, kit: styles },
  'a reset in a layer': {
    sheet: () => `@layer reset { ${of('normalize.css')} * { margin: 0; padding: 0 } }`,
    kit: styles,
  },
  'the preflight of Tailwind 3': { sheet: preflight3, kit: unlayered(styles) },
  "Bootstrap's reboot": { sheet: () => of('bootstrap/dist/css/bootstrap-reboot.css'), kit: unlayered(styles) },
  'normalize.css': { sheet: () => of('normalize.css'), kit: unlayered(styles) },
  'the Vite template': {
    sheet: () => ['index', 'App'].map((name) => modules(`create-vite/template-react-ts/src/${name}.css`)).join('\n'),
    kit: unlayered(styles),
  },
  'the Next template': {
    sheet: () => modules('create-next-app/dist/templates/app/ts/app/globals.css'),
    kit: unlayered(styles),
  },
}

async function tailwind4(): Promise<string> {
  const { build } = await compile("@import 'tailwindcss';", {
    loadStylesheet: async (id, base) => {
      const file = id === 'tailwindcss' ? require.resolve('tailwindcss/index.css') : path.resolve(base, id)
      return { path: file, base: path.dirname(file), content: readFileSync(file, 'utf8') }
    },
  })
  return build(['p-4', 'flex'])
}

async function preflight3(): Promise<string> {
  const { css } = await postcss([tailwind3({ content: [{ raw: '' }] })]).process('@tailwind base;', { from: undefined })
  return css
}

/** A story for each thing that an app can show. */
const shown = [
  'ConnectedAccounts/Every Next Action',
  'ConnectedAccounts/Searching',
  'ConnectedAccounts/Compact',
  'AccountCard/Details',
  'AccountCard/Several Accounts',
  'AccountCard/Window Blocked',
  'ApiKeyForm/Legacy Key',
  'ConnectButton/All',
  'AccountsMenu/None',
  'DisconnectDialog/Opened By The App',
]
const entries = buildStorybook()
const stories = shown.map((wanted) => {
  const story = entries.find(({ title, name }) => `${title}/${name}`.endsWith(`/${wanted}`))
  if (!story) throw new Error(`There is no story ${wanted}.`)
  return story
})

/** What is seen of an element: its box in CSS px, and its colours. */
type Seen = { box: number[]; colours: string }

for (const { id, title, name } of stories)
  test(`${title}, ${name}: the same beside the style sheets of others`, async ({ page, book }) => {
    test.setTimeout(120_000)
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await page.goto(`${book.url}/iframe.html?id=${id}&viewMode=story&globals=width:640px;a11y.manual:!true`)
    await page.waitForFunction((story) => {
      const { __STORYBOOK_PREVIEW__: preview } = window as unknown as {
        __STORYBOOK_PREVIEW__?: { currentRender?: { id?: string; phase?: string } }
      }
      return preview?.currentRender?.id === story && preview.currentRender.phase === 'finished'
    }, id)
    for (const [app, { sheet, kit }] of Object.entries(apps)) {
      const own = await sheet()
      for (const [order, sheets] of Object.entries({ after: [own, kit], before: [kit, own] })) {
        const { parts, textSize } = await seen(page, sheets)
        // Text of the app's size is the app's wish.
        const { parts: alone } = await seen(page, [styles, `html { font-size: ${textSize} }`])
        expect(Object.keys(alone).length).toBeGreaterThan(3)
        expect.soft(differences(parts, alone), `the kit ${order} ${app}`).toEqual([])
      }
    }
  })

/** With these sheets and no other: every part of the kit. */
function seen(page: Page, sheets: string[]): Promise<{ parts: Record<string, Seen>; textSize: string }> {
  return page.evaluate(async (contents) => {
    for (const old of document.querySelectorAll('link[rel=stylesheet], style')) old.remove()
    const frame =
      'html { color-scheme: light } body { position: static !important; display: block !important; margin: 0 !important } [data-width] { position: absolute; inset: 16px auto auto 16px }'
    for (const content of [...contents, `@layer storybook; ${frame}`]) {
      const style = document.createElement('style')
      style.textContent = content
      document.head.append(style)
    }
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    const parts: Record<string, Seen> = {}
    for (const [at, node] of [...document.querySelectorAll('.latchkey, .latchkey *')].entries()) {
      const { x, y, width, height } = node.getBoundingClientRect()
      if (width < 2 || height < 2 || !node.checkVisibility() || node.closest('svg')?.contains(node.parentNode)) continue
      const { color, backgroundColor, borderTopColor, borderTopWidth, fontSize, fontWeight, listStyleType } =
        getComputedStyle(node)
      const edge = borderTopWidth === '0px' ? '' : borderTopColor
      parts[`${at} ${node.localName}.${node.getAttribute('class')}`] = {
        box: [x, y, width, height],
        colours: [color, backgroundColor, edge, fontSize, fontWeight, node.localName === 'li' && listStyleType].join(
          ' ',
        ),
      }
    }
    return { parts, textSize: getComputedStyle(document.documentElement).fontSize }
  }, sheets)
}

function differences(now: Record<string, Seen>, alone: Record<string, Seen>): string[] {
  return Object.entries(alone).flatMap(([name, { box, colours }]) => {
    const one = now[name]
    if (!one) return [`${name} is gone`]
    const moved = box.some((px, at) => Math.abs(px - one.box[at]!) > 2)
    return [
      ...(moved ? [`${name}: ${box.map(Math.round)} → ${one.box.map(Math.round)}`] : []),
      ...(colours === one.colours ? [] : [`${name}: ${colours} → ${one.colours}`]),
    ]
  })
}

for (const wanted of ['ConnectedAccounts/Every Next Action', 'AgentAccess/Details', 'RequestsInbox/Default']) {
  const story = entries.find(({ title, name }) => `${title}/${name}`.endsWith(`/${wanted}`))
  test(`${wanted} in a plain scroller of an app makes the page no longer`, async ({ page, book }) => {
    await page.setViewportSize({ width: 700, height: 600 })
    await page.goto(`${book.url}/iframe.html?id=${story?.id}&viewMode=story`)
    await expect(page.locator('.latchkey-unseen').first()).toBeAttached()
    const place = page.locator('[data-width]')
    await place.evaluate((node) => Object.assign(node.style, { blockSize: '60px', overflow: 'auto' }))
    const heights = () =>
      place.evaluate((node) => {
        const page = document.documentElement
        const content = Math.max(...[...node.children].map((child) => child.getBoundingClientRect().bottom))
        const bottom = node.getBoundingClientRect().top + node.scrollHeight - node.scrollTop
        return {
          over: page.scrollHeight - page.clientHeight,
          blank: Math.round(bottom - content),
          scrolls: node.scrollHeight > 60,
        }
      })
    await expect.poll(heights).toMatchObject({ over: 0, scrolls: true })
    expect((await heights()).blank).toBeLessThanOrEqual(0)
  })
}
