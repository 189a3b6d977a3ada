// Every story in five looks: what a screen reader gets, where the key boxes stand, and what axe finds in the dark
// (in the light it runs with the story's own test). The expected looks are kept in e2e/looks, a file per component;
// `LOOKS=update npx playwright test -c e2e/storybook.config.ts looks` writes them anew: read the difference like code.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { type BrowserContext, chromium, expect, type Page, test } from '@playwright/test'
import { launchOptions } from '../.setup/browser.mjs'
import { buildStorybook, type Storybook, type StorybookEntry, storybook } from './storybook.ts'

type Box = [x: number, y: number, width: number, height: number]
interface Look {
  /** The accessibility tree, a line per node. */
  tree: string[]
  /** Key boxes by name, by look, in CSS px. */
  boxes: Record<string, Record<string, Box>>
}

/** A sidebar is narrow in a wide window; a phone is narrow itself. */
const wide = { width: 800, height: 900 }
const looks = {
  dark: { globals: { theme: 'dark', dir: 'ltr', width: '640px' }, viewport: wide },
  light: { globals: { theme: 'light', dir: 'ltr', width: '640px' }, viewport: wide },
  rtl: { globals: { theme: 'light', dir: 'rtl', width: '640px' }, viewport: wide },
  '320px': { globals: { theme: 'light', dir: 'ltr', width: 'full' }, viewport: { width: 320, height: 900 } },
  '220px': { globals: { theme: 'light', dir: 'ltr', width: '220px' }, viewport: wide },
}
type Globals = (typeof looks)['light']['globals']

const NOW = new Date('2026-03-14T09:26:53Z')
/** How far two machines may differ in the same look, in CSS px. */
const TOLERANCE = 2
const folder = path.join(import.meta.dirname, 'looks')

const stories = buildStorybook().filter(({ type }) => type === 'story')
let book: Storybook
let context: BrowserContext

test.beforeAll(async () => {
  book = await storybook()
  const browser = await chromium.launch(launchOptions)
  context = await browser.newContext({ locale: 'en-US', timezoneId: 'UTC', reducedMotion: 'reduce' })
})
test.afterAll(async () => {
  await context?.browser()?.close()
  await book?.close()
})

test('there are stories, and no look of a story that is gone', () => {
  expect(stories.length).toBeGreaterThan(50)
  for (const title of new Set(stories.map((story) => story.title))) {
    const names = stories.filter((story) => story.title === title).map(({ name }) => name)
    expect(Object.keys(read(title)).filter((name) => !names.includes(name))).toEqual([])
  }
})

for (const story of stories) {
  test(`${story.title}: ${story.name}`, async () => {
    const page = await context.newPage()
    await page.clock.setFixedTime(NOW)
    const found: Look = { tree: [], boxes: {} }
    for (const [look, { globals, viewport }] of Object.entries(looks)) {
      await page.setViewportSize(viewport)
      // A dialog takes its theme when it opens; everything else follows as it stands.
      if (look === 'dark' || look === 'light') await open(page, story, globals)
      else await change(page, globals)
      const tree = (await page.locator('body').ariaSnapshot())
        .replaceAll(book.url, '')
        .replaceAll(/&globals=[^"]*/g, '')
        // What is spoken comes and goes by itself; the stories' own tests hear it.
        .replaceAll(/^(\s*- status).*$/gm, '$1')
        .split('\n')
      if (look === 'dark') found.tree = tree
      else expect(tree, `what a screen reader gets in ${look}`).toEqual(found.tree)
      found.boxes[look] = await page.evaluate(boxes)
      expect(await page.evaluate(overflow), `what is cut off in ${look}`).toEqual([])
      if (look === 'dark') {
        // What a whole page needs is the app's to bring.
        const rules = ['region', 'landmark-one-main', 'page-has-heading-one']
        const { violations } = await new AxeBuilder({ page }).disableRules(rules).analyze()
        expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
      }
    }
    await page.close()
    compare(story, found)
  })
}

/** Shows a story and waits until it has played. */
async function open(page: Page, { id }: StorybookEntry, globals: Globals) {
  const words = Object.entries(globals).map((pair) => pair.join(':'))
  await page.goto(`${book.url}/iframe.html?id=${id}&viewMode=story&globals=${words.join(';')}`)
  const phase = await page.waitForFunction(() => {
    const { currentRender } =
      (window as unknown as { __STORYBOOK_PREVIEW__?: { currentRender?: { phase?: string } } }).__STORYBOOK_PREVIEW__ ??
      {}
    return ['finished', 'errored', 'aborted'].find((end) => end === currentRender?.phase)
  })
  expect(await phase.jsonValue()).toBe('finished')
  await settle(page)
}

/** Gives the story another look as it stands: Storybook's own switches would start it anew. */
async function change(page: Page, { dir, width }: Globals) {
  await page.evaluate(
    ([nextDir, nextWidth]) => {
      document.documentElement.dir = nextDir
      const place = document.querySelector<HTMLElement>('[data-place]')
      if (place) place.style.inlineSize = nextWidth === 'full' ? '100%' : nextWidth
    },
    [dir, width] as const,
  )
  await settle(page)
}

async function settle(page: Page) {
  await page.evaluate(async () => {
    await document.fonts.ready
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    // A spinner never ends.
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(ending.map((animation) => animation.finished))
  })
}

/** Runs in the page: the boxes of what a person reads, presses or lands on, by name. */
function boxes(): Record<string, Box> {
  const found: Record<string, Box> = {}
  const seen = new Map<string, number>()
  const key = 'article,section,form,dialog,h2,h3,a,button,input,select,textarea,[role]:not([role=status])'
  for (const node of document.querySelectorAll(`:is(#storybook-root, body > :not(#storybook-docs)) :is(${key})`)) {
    const { x, y, width, height } = node.getBoundingClientRect()
    if (width < 2 || height < 2 || !node.checkVisibility()) continue
    const role = node.getAttribute('role') ?? node.localName
    const words = node.matches('article,section,form,dialog,[role=dialog],[role=alertdialog],[role=menu]')
      ? ''
      : ` ${(node.getAttribute('aria-label') ?? node.textContent ?? '').trim().slice(0, 50)}`
    const name = `${role}${words.trimEnd()}`
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    found[count > 1 ? `${name} #${count}` : name] = [x, y, width, height].map(Math.round) as unknown as Box
  }
  return found
}

/** Runs in the page: what stands outside of the window's width, where nobody can scroll to without losing the rest. */
function overflow(): string[] {
  const wide = document.documentElement.clientWidth
  const nodes = [...document.querySelectorAll('.latchkey, .latchkey *')].filter((node) => {
    const { left, right, width, height } = node.getBoundingClientRect()
    return width > 1 && height > 1 && (right > wide + 1 || left < -1) && node.checkVisibility()
  })
  return nodes.map((node) => `${node.localName}.${node.getAttribute('class')}`)
}

function fileOf(title: string): string {
  return path.join(folder, `${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`)
}

function read(title: string): Record<string, Look> {
  const file = fileOf(title)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

function compare({ title, name }: StorybookEntry, found: Look) {
  const all = read(title)
  if (process.env.LOOKS === 'update') {
    mkdirSync(folder, { recursive: true })
    const names = stories.filter((story) => story.title === title).map((story) => story.name)
    const kept = Object.entries({ ...all, [name]: found }).filter(([one]) => names.includes(one))
    const sorted = Object.fromEntries(kept.sort(([a], [b]) => names.indexOf(a) - names.indexOf(b)))
    // A box on one line, as a person reads it.
    const text = JSON.stringify(sorted, null, 1).replaceAll(
      /\[\s+(-?\d+),\s+(-?\d+),\s+(-?\d+),\s+(-?\d+)\s+\]/g,
      '[$1, $2, $3, $4]',
    )
    writeFileSync(fileOf(title), `${text}\n`)
    return
  }
  const expected = all[name]
  expect(expected, 'No look is kept for this story yet: see the head of looks.spec.ts').toBeDefined()
  expect(found.tree, 'what a screen reader gets').toEqual(expected!.tree)
  for (const [look, was] of Object.entries(expected!.boxes)) {
    const is = found.boxes[look]!
    expect(Object.keys(is), `what is there in ${look}`).toEqual(Object.keys(was))
    const moved = Object.entries(was).filter(([box, at]) => at.some((px, i) => Math.abs(px - is[box]![i]!) > TOLERANCE))
    expect(
      moved.map(([box, at]) => `${box}: ${at} → ${is[box]}`),
      `what moved in ${look}`,
    ).toEqual([])
  }
}
