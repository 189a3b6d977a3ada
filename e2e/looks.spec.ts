// Checks every story in seven looks: its accessibility tree, the positions of its key boxes, and what axe finds in the dark
// (in the light axe runs with the story's own test). Most looks are checked by rules. The rest is in e2e/looks, a file for
// each component: the accessibility tree with a line for each node, and the key boxes at two widths with a line for each
// box. `LOOKS=update npm test -- looks` updates these files: review the diff like code.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'
import { buildStorybook, type StorybookEntry, test as withBook } from './storybook.ts'

/** In CSS px, from the top left corner of the window. */
type Box = [x: number, y: number, width: number, height: number]
type Boxes = Record<string, Box>
interface Found {
  box: Box
  /** False for a box over the page, as in a dialog. */
  inPlace: boolean
  /** True for a box in a line of text, where the words decide its position. */
  inLine: boolean
  /** The left edge of the surrounding element that has its own direction, if any. */
  directed: number | undefined
}
interface Look {
  /** The accessibility tree, a line for each node. */
  tree: string[]
  wide: Boxes
  narrow: Boxes
}

const WIDE = 800
const NARROW = 320
/** For each look: width of the window and of the component's container, direction and theme. */
const looks = {
  dark: { window: WIDE, width: '640px', dir: 'ltr', theme: 'dark' },
  wide: { window: WIDE, width: '640px', dir: 'ltr', theme: 'light' },
  rtl: { window: WIDE, width: '640px', dir: 'rtl', theme: 'light' },
  sidebar: { window: WIDE, width: '220px', dir: 'ltr', theme: 'light' },
  narrow: { window: NARROW, width: '220px', dir: 'ltr', theme: 'light' },
  phone: { window: NARROW, width: 'full', dir: 'ltr', theme: 'light' },
}
type Setting = (typeof looks)['dark']

const NOW = new Date('2026-03-14T09:26:53Z')
/** The allowed difference between machines, in CSS px. */
const TOLERANCE = 2
/** The smallest size of a control, in CSS px: WCAG 2.2, 2.5.8. */
const TARGET = 24
const folder = path.join(import.meta.dirname, 'looks')
/** But those that are about something else than their look. */
const stories = buildStorybook().filter(({ type, tags }) => type === 'story' && !tags.includes('no-look'))

/** Each worker has one page and switches stories in it, because loading a page for each would take most of the time. */
const test = withBook.extend<object, { stage: Page }>({
  stage: [
    async ({ browser }, use) => {
      const context = await browser.newContext({ locale: 'en-US', timezoneId: 'UTC', reducedMotion: 'reduce' })
      const page = await context.newPage()
      await page.clock.setFixedTime(NOW)
      await use(page)
      await context.close()
    },
    { scope: 'worker' },
  ],
})

test('there are stories, and no look of a removed story', () => {
  expect(stories.length).toBeGreaterThan(50)
  for (const title of new Set(stories.map((story) => story.title))) {
    const names = stories.filter((story) => story.title === title).map(({ name }) => name)
    expect([...read(title).keys()].filter((name) => !names.includes(name))).toEqual([])
  }
})

for (const [title, all = []] of Object.entries(Object.groupBy(stories, (story) => story.title))) {
  test.describe(title, () => {
    // One worker runs all stories of a component, because they share a file.
    test.describe.configure({ mode: 'default' })
    for (const story of all)
      test(story.name, async ({ stage: page, book }) => {
        await show(page, book.url, story)
        const found = {} as Record<keyof typeof looks, Record<string, Found>>
        let tree: string[] = []
        for (const [look, setting] of Object.entries(looks) as [keyof typeof looks, Setting][]) {
          await change(page, setting)
          const lines = (await page.locator('body').ariaSnapshot())
            // Live regions change with time; the stories' own tests read them.
            .replaceAll(/^(\s*- status).*$/gm, '$1')
            .replaceAll(book.url, '')
            .split('\n')
          if (look === 'dark') tree = lines
          else expect(lines, `what a screen reader gets in ${look}`).toEqual(tree)
          found[look] = await page.evaluate(keyBoxes)
          expect(await page.evaluate(cutOff), `what is cut off in ${look}`).toEqual([])
          expect(await page.evaluate(smallTargets, TARGET), `what is hard to hit in ${look}`).toEqual([])
          expect(await page.evaluate(unboxed), `what is only heard, and in no box of ours, in ${look}`).toEqual([])
          if (look === 'dark') {
            // Rules for whole pages are left out: the app makes the page.
            const rules = ['region', 'landmark-one-main', 'page-has-heading-one']
            const violations = await violationsBut(page, rules)
            expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
          }
        }
        expect(await largeText(page), 'what does not grow with the text, or is cut off then').toEqual([])
        const wide = boxesOf(found.wide)
        same('dark is as light', boxesOf(found.dark), wide)
        same(
          'right to left is the mirror',
          boxesOf(found.rtl, ({ inLine }) => !inLine),
          mirrored(found.wide, found.rtl),
        )
        const inPlace = ({ inPlace }: Found) => inPlace
        same('a sidebar is a narrow place', boxesOf(found.sidebar, inPlace), boxesOf(found.narrow, inPlace))
        compare(story, { tree, wide, narrow: boxesOf(found.narrow) })
      })
  })
}

type Preview = {
  currentRender?: { id?: string; phase?: string }
  channel: { emit(event: string, value: object): void }
}

/** Shows a story and waits until it has played. */
async function show(page: Page, url: string, { id }: StorybookEntry) {
  await page.setViewportSize({ width: looks.dark.window, height: 900 })
  if (page.url() === 'about:blank') {
    const { theme, dir, width } = looks.dark
    // Storybook's own axe would look where this test does.
    const globals = `theme:${theme};dir:${dir};width:${width};a11y.manual:!true`
    await page.goto(`${url}/iframe.html?id=${id}&viewMode=story&globals=${globals}`)
  } else {
    await page.evaluate((storyId) => {
      localStorage.clear()
      sessionStorage.clear()
      scrollTo(0, 0)
      const { channel } = (window as unknown as { __STORYBOOK_PREVIEW__: Preview }).__STORYBOOK_PREVIEW__
      channel.emit('setCurrentStory', { storyId, viewMode: 'story' })
    }, id)
  }
  const phase = await page.waitForFunction((story) => {
    const { currentRender } = (window as unknown as { __STORYBOOK_PREVIEW__?: Preview }).__STORYBOOK_PREVIEW__ ?? {}
    // For example, its files did not load.
    if (document.body.classList.contains('sb-show-errordisplay')) return document.body.innerText
    if (currentRender?.id !== story) return undefined
    return ['finished', 'errored', 'aborted'].find((end) => end === currentRender.phase)
  }, id)
  expect(await phase.jsonValue()).toBe('finished')
}

/** Changes the look of the running story. Storybook's own switches would restart it. */
async function change(page: Page, { window: width, ...setting }: Setting) {
  await page.setViewportSize({ width, height: 900 })
  await page.evaluate(async ({ dir, theme, width }) => {
    const place = document.querySelector<HTMLElement>('[data-width]')
    if (!place) throw new Error('No element has data-width: which one has .storybook/preview.tsx made the place?')
    place.dataset.width = width
    place.style.inlineSize = width === 'full' ? '100%' : width
    document.documentElement.dir = dir
    // A dialog took its theme from the place where it was opened.
    for (const node of document.querySelectorAll<HTMLElement>('[data-theme]')) node.dataset.theme = theme
    await document.fonts.ready
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    // A spinner's animation never ends.
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(ending.map((animation) => animation.finished))
  }, setting)
}

/** What keeps its size when the reader's text is twice as large on a phone, or is cut off then. */
async function largeText(page: Page): Promise<string[]> {
  await change(page, { ...looks.phone, window: 390 })
  const small = await page.evaluate(textSizes)
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'))
  try {
    const large = await page.evaluate(textSizes)
    const fixed = large.filter(({ size }, at) => size < 1.9 * small[at]!.size).map(({ text }) => text)
    return [...fixed, ...(await page.evaluate(cutOff)), ...(await page.evaluate(shortened))]
  } finally {
    await page.evaluate(() => document.documentElement.style.removeProperty('font-size'))
  }
}

/** Runs in the page: each text of ours and its size in px. What the app brings has the app's size. */
function textSizes() {
  const field = 'input:not([type=checkbox], [type=file]), textarea, select'
  return [...document.querySelectorAll('.latchkey *')]
    .filter((node) => node.matches(field) || [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE))
    .filter((node) => !node.matches('button:not([class*=latchkey-])'))
    .map((node) => ({
      text: node.textContent || node.localName,
      size: Number.parseFloat(getComputedStyle(node).fontSize),
    }))
}

/** Runs in the page: text that ends in three dots. A card inline is one line, whatever it costs. */
function shortened(): string[] {
  return [...document.querySelectorAll('.latchkey *')]
    .filter((node) => !node.closest('[data-layout="inline"]'))
    .filter((node) => getComputedStyle(node).textOverflow === 'ellipsis' && node.scrollWidth > node.clientWidth + 1)
    .map((node) => `${node.textContent} …`)
}

/**
 * What axe finds in the page. Its usual mode opens another page for each result, which frames of other origins need and
 * stories have none of; and half a megabyte of script that the page has is not sent again.
 */
async function violationsBut(page: Page, rules: string[]) {
  const loaded = await page.evaluate(() => 'axe' in window)
  const axe = new AxeBuilder({ page, ...(loaded && { axeSource: '0' }) }).setLegacyMode()
  const { violations } = await axe
    .options({ resultTypes: ['violations'], rules: { 'label-content-name-mismatch': { enabled: true } } })
    .disableRules(rules)
    .analyze()
  return violations
}

/** Runs in the page: the boxes of headings, controls and landmarks, by name. */
function keyBoxes(): Record<string, Found> {
  const found: Record<string, Found> = {}
  const seen = new Map<string, number>()
  const key = 'article,section,form,dialog,h2,h3,a,button,input,select,textarea,[role]:not([role=status])'
  for (const node of document.querySelectorAll(`:is(#storybook-root, body > :not(#storybook-docs)) :is(${key})`)) {
    const { x, y, width, height } = node.getBoundingClientRect()
    if (width < 2 || height < 2 || !node.checkVisibility()) continue
    const role = node.getAttribute('role') ?? node.localName
    const label = node.getAttribute('aria-label') ?? (node as HTMLElement).innerText ?? ''
    const words = node.matches('article,section,form,dialog,[role=dialog],[role=alertdialog],[role=menu]')
      ? ''
      : ` ${label.replaceAll(/\s+/g, ' ').trim().slice(0, 50)}`
    const name = `${role}${words.trimEnd()}`
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    found[count > 1 ? `${name} #${count}` : name] = {
      box: [x, y, width, height].map(Math.round) as unknown as Box,
      inPlace: node.closest('[data-width]') !== null,
      inLine: getComputedStyle(node).display.startsWith('inline'),
      directed: node.closest('body [dir]')?.getBoundingClientRect().left,
    }
  }
  return found
}

/** Runs in the page: boxes outside of the window or of their container. */
function cutOff(): string[] {
  const edges = (node: Element) => {
    const { left, right } = node.getBoundingClientRect()
    return { left, right }
  }
  const window = { left: 0, right: document.documentElement.clientWidth }
  const place = document.querySelector('[data-width]')!
  const nodes = [...document.querySelectorAll('.latchkey, .latchkey *')].filter((node) => {
    const { left, right, width, height } = node.getBoundingClientRect()
    if (width <= 1 || height <= 1 || !node.checkVisibility()) return false
    const around = place.contains(node) ? edges(place) : window
    return right > around.right + 1 || left < around.left - 1
  })
  return nodes.map((node) => `${node.localName}.${node.getAttribute('class')}`)
}

/**
 * Runs in the page: what can be pressed and is smaller than a fingertip. A link in a sentence may be as high as its line,
 * and a button that the app brings has the app's look.
 */
function smallTargets(least: number): string[] {
  return [
    ...document.querySelectorAll(
      '.latchkey :is(a,button[class*=latchkey-],input,select,textarea,summary,[role=menuitem])',
    ),
  ]
    .map((node) => node.closest('label') ?? node)
    .filter((node) => {
      const { width, height } = node.getBoundingClientRect()
      const hidden = width < 2 || height < 2 || !node.checkVisibility()
      return !hidden && getComputedStyle(node).display !== 'inline' && Math.min(width, height) < least - 0.5
    })
    .map((node) => `${node.localName} ${node.textContent?.trim() || node.getAttribute('aria-label')}`)
}

/** Runs in the page: what is only heard, and would make the page longer than it is if an app put it into a scroller. */
function unboxed(): string[] {
  return [...document.querySelectorAll<HTMLElement>('.latchkey-unseen')]
    .filter((node) => getComputedStyle(node).position !== 'fixed' && !node.offsetParent?.closest('.latchkey'))
    .map((node) => node.outerHTML)
}

const boxesOf = (found: Record<string, Found>, which: (one: Found) => boolean = () => true): Boxes =>
  Object.fromEntries(
    Object.entries(found)
      .filter(([, one]) => which(one))
      .map(([name, { box }]) => [name, box]),
  )

/** Mirrors the boxes for right to left. A box inside an element with its own direction moves with that element. */
function mirrored(found: Record<string, Found>, rtl: Record<string, Found>): Boxes {
  const expected = Object.entries(found).map(
    ([
      name,
      {
        box: [x, y, width, height],
        directed,
      },
    ]) => {
      const left = directed === undefined ? WIDE - x - width : x - directed + (rtl[name]?.directed ?? 0)
      return [name, [Math.round(left), y, width, height]]
    },
  )
  return Object.fromEntries(expected.filter(([name]) => !found[name as string]?.inLine))
}

/** The same boxes in the same order, in the same places. */
function same(rule: string, is: Boxes, was: Boxes) {
  expect(Object.keys(is), `${rule}: what is there`).toEqual(Object.keys(was))
  const moved = Object.entries(was).filter(([box, at]) => at.some((px, i) => Math.abs(px - is[box]![i]!) > TOLERANCE))
  expect(
    moved.map(([box, at]) => `${box}: ${at} → ${is[box]}`),
    `${rule}: what moved`,
  ).toEqual([])
}

/** The file is called as a story's address begins. */
function fileOf(title: string): string {
  const story = stories.find((one) => one.title === title)
  return path.join(folder, `${story?.id.split('--')[0]}.txt`)
}

const HEADING = `The looks of %s. First what a screen reader gets, then the key boxes as x,y width×height: in a wide
place, in a narrow one. Written by LOOKS=update npm test -- looks.
`
const AT = String.raw`(?:(-?\d+),(-?\d+) (\d+)×(\d+)|–)`
const LINE = new RegExp(String.raw`^ +${AT} +${AT} +(\S.*)$`)

/** The expected looks of a component, by the name of the story. */
function read(title: string): Map<string, Look> {
  const kept = new Map<string, Look>()
  if (!existsSync(fileOf(title))) return kept
  const [, ...parts] = readFileSync(fileOf(title), 'utf8').split(/^== (.+) ==\n/m)
  for (let at = 0; at < parts.length; at += 2) {
    const [tree = '', boxes = ''] = parts[at + 1]!.split('\n\n')
    const look: Look = { tree: tree.split('\n'), wide: {}, narrow: {} }
    for (const line of boxes.split('\n').filter(Boolean)) {
      const found = LINE.exec(line)
      if (!found) throw new Error(`${fileOf(title)}: no box is written as "${line}"`)
      const name = found[9]!
      if (found[1]) look.wide[name] = found.slice(1, 5).map(Number) as Box
      if (found[5]) look.narrow[name] = found.slice(5, 9).map(Number) as Box
    }
    kept.set(parts[at]!, look)
  }
  return kept
}

function write(title: string, kept: Map<string, Look>) {
  const text = (box?: Box) => (box ? `${box[0]},${box[1]} ${box[2]}×${box[3]}` : '–')
  const stories = [...kept].map(([name, { tree, wide, narrow }]) => {
    const boxes = [...new Set([...Object.keys(wide), ...Object.keys(narrow)])].map(
      (box) => `  ${text(wide[box]).padEnd(16)} ${text(narrow[box]).padEnd(16)}  ${box}`,
    )
    return `== ${name} ==\n${tree.join('\n')}\n\n${boxes.map((box) => `${box}\n`).join('')}`
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(title), [HEADING.replace('%s', title.replace(/^.*\//, '')), ...stories].join('\n'))
}

function compare({ title, name }: StorybookEntry, found: Look) {
  const kept = read(title)
  if (process.env.LOOKS === 'update') {
    kept.set(name, found)
    const names = stories.filter((story) => story.title === title).map((story) => story.name)
    write(title, new Map(names.flatMap((one) => (kept.has(one) ? [[one, kept.get(one)!]] : []))))
    return
  }
  const expected = kept.get(name)
  if (!expected) throw new Error('No look is kept for this story yet: see the head of looks.spec.ts')
  expect(found.tree, 'what a screen reader gets').toEqual(expected.tree)
  for (const width of ['wide', 'narrow'] as const) same(width, found[width], expected[width])
}
