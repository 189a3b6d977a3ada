// Every page of documentation of the built Storybook, in the light and in the dark: it renders, nothing of it fails, and
// the page of a component has its props.
import { expect, type Page } from '@playwright/test'
import { test as base, buildStorybook } from './storybook.ts'

// Before any worker starts, also when this file runs alone.
const entries = buildStorybook()

/** One page of a worker reads them all, and so loads what they share once. */
const test = base.extend<object, { reader: { page: Page; complaints: string[] } }>({
  reader: [
    async ({ browser }, use) => {
      const page = await browser.newPage()
      const complaints: string[] = []
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('response', (response) => {
        if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`)
      })
      await use({ page, complaints })
      await page.close()
    },
    { scope: 'worker' },
  ],
})

/** M6 and M7: the page of a component or a hook can be used as it is read. */
async function readsWell(page: Page, title: string) {
  const codes = page.locator('#storybook-docs pre')
  // On top is what can be copied whole.
  await expect(codes.first(), title).toContainText(/^import .*from '@latchkey\/react/m)
  for (const button of await page.getByRole('button', { name: 'Show code' }).all()) await button.click()
  for (const code of await codes.allInnerTexts()) {
    expect(code, title).not.toMatch(/\[Circular\]|client=\{\{|LatchkeyProvider\n? *client/)
    expect(code.split('\n').length, `lines of code on ${title}`).toBeLessThan(90)
  }
  const states = page.locator('.docs-state:not(:has(iframe))')
  const blank = () =>
    states.evaluateAll((all) =>
      all
        .filter((state) => !state.querySelector<HTMLElement>('.docs-story')?.innerText.trim())
        .map((state) => state.querySelector('h3')?.textContent),
    )
  // An icon alone is a state too.
  await expect.poll(blank, title).toEqual(title.endsWith('/ConnectButton') ? ['Icon'] : [])
  // What the name says: without its play, as the page shows it.
  const others = () =>
    states.evaluateAll((all) => {
      const words = ['Disconnected', 'Loading', 'Connecting', 'Connected', 'Expiring', 'Paused', 'Needs Reconnect']
      return all.flatMap((state) => {
        const name = state.querySelector('h3')?.textContent ?? ''
        const word = words.find((one) => new RegExp(`\\b${one}\\b`).test(name))
        const shown = state.querySelector<HTMLElement>('.docs-story')
        if (!word || !shown || shown.innerText.includes('Renders nothing')) return []
        const isSaid = new RegExp(`\\b${word}\\b`, 'i').test(shown.innerText)
        const status = word.toLowerCase().replace(' ', '-')
        return isSaid || shown.querySelector(`[data-status="${status}"]`) ? [] : [name]
      })
    })
  await expect.poll(others, `states of ${title} that are not what they are called`).toEqual([])
}

for (const [words, address] of [
  ['css variables', 'guides-css-variables--docs'],
  ['useLatchkey', 'components-hooks-uselatchkey--docs'],
] as const) {
  test(`the search finds "${words}"`, async ({ page, book }) => {
    await page.goto(`${book.url}/?path=/docs/guides-getting-started--docs`)
    await page.getByPlaceholder('Find components').fill(words)
    await page.getByRole('option').first().click()
    await expect(page).toHaveURL(new RegExp(`path=/docs/${address}`))
  })
}

test('M7: visitors see states with one line each, and no test', async ({ page, book }) => {
  const visible = (await extract(page, book)).filter(({ tags }) => tags.includes('dev'))
  expect(visible.length).toBeGreaterThan(80)
  expect(visible.filter(({ name }) => /\bDark$/.test(name)).map(({ title, name }) => `${title}, ${name}`)).toEqual([])
  const unexplained = visible.filter(({ parameters }) => !parameters.docs?.description?.story)
  expect(unexplained.map(({ title, name }) => `${title}, ${name}`)).toEqual([])
})

const pages = entries.filter(({ type }) => type === 'docs')

test('every guide and every component has a page', () => {
  expect(pages.filter(({ title }) => title.startsWith('Guides/')).length).toBeGreaterThanOrEqual(12)
  expect(pages.filter(({ title }) => title.startsWith('Components/')).length).toBeGreaterThanOrEqual(30)
})

for (const { id, title } of pages) {
  test(`${title} opens without an error, in the light, on a phone and in the dark`, async ({ reader, book }) => {
    const { page, complaints } = reader
    complaints.length = 0
    const content = page.locator('#storybook-docs .sbdocs-content')
    await page.setViewportSize({ width: 1280, height: 720 })
    await opens('light')
    if (title.startsWith('Components/')) await readsWell(page, title)
    await page.setViewportSize({ width: 320, height: 900 })
    // What follows the width is drawn again first.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    expect(await page.evaluate(() => document.documentElement.scrollWidth), 'pixels wide').toBeLessThanOrEqual(320)
    await opens('dark')
    expect(complaints).toEqual([])

    async function opens(theme: string) {
      await page.goto(`${book.url}/iframe.html?id=${id}&viewMode=docs&globals=theme:${theme}`)
      await expect(content.locator('h1').first()).toBeVisible()
      await expect(page.locator('html')).toHaveAttribute('data-theme', theme)
      if (title.startsWith('Components/')) await expect(content.getByText('Loading...')).toHaveCount(0)
      // An error of one story is shown in its place.
      await expect(content.getByText(/Something went wrong rendering|No story found|error rendering/i)).toHaveCount(0)
    }
  })
}

interface ExtractedStory {
  title: string
  name: string
  tags: string[]
  parameters: { docs?: { description?: { story?: string } } }
  argTypes: Record<string, { description?: string }>
}

/** Every story, with what its code says about it. */
async function extract(
  page: Page,
  { url, entries }: { url: string; entries: readonly { id: string; type: string }[] },
) {
  const [first] = entries.filter(({ type }) => type === 'story')
  await page.goto(`${url}/iframe.html?id=${first?.id}&viewMode=story`)
  await page.waitForFunction(() => '__STORYBOOK_PREVIEW__' in window)
  return page.evaluate(async () => {
    const { __STORYBOOK_PREVIEW__: preview } = window as unknown as {
      __STORYBOOK_PREVIEW__: { ready(): Promise<void>; extract(): Promise<Record<string, ExtractedStory>> }
    }
    await preview.ready()
    return Object.values(await preview.extract()).map(({ title, name, tags, parameters, argTypes }) => ({
      title,
      name,
      tags,
      parameters: { docs: { description: { story: parameters.docs?.description?.story } } },
      props: Object.entries(argTypes).map(([prop, { description }]) => ({ name: prop, description })),
    }))
  })
}

test('every prop of a component is explained on its page', async ({ page, book }) => {
  const stories = await extract(page, book)
  const props = new Map(stories.map((story) => [story.title, story.props]))
  // Tables that are made from the sources are not empty.
  expect(props.get('Components/Panel/ConnectedAccounts')?.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['title', 'description']),
  )
  const unexplained = [...props].flatMap(([title, all]) =>
    all.filter(({ description }) => !description?.trim()).map(({ name }) => `${title}: ${name}`),
  )
  expect(unexplained).toEqual([])
})

test('every link in a guide works', async ({ page, book }) => {
  const ids = book.entries.map(({ id }) => id)
  const lost: string[] = []
  for (const { id, title } of book.entries.filter((entry) => entry.title.startsWith('Guides/'))) {
    await page.goto(`${book.url}/iframe.html?id=${id}&viewMode=docs`)
    await expect(page.locator('#storybook-docs h1').first()).toBeVisible()
    const hrefs = await page
      .locator('.sbdocs-content a[href*="path=/docs/"]')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
    lost.push(
      ...hrefs.filter((href) => !ids.includes(href.split('/docs/')[1] ?? '')).map((href) => `${title}: ${href}`),
    )
  }
  expect(lost).toEqual([])
})

test('every part is in the guide', async ({ page, book }) => {
  await page.goto(`${book.url}/iframe.html?id=guides-headless--docs&viewMode=docs`)
  const parts = page.locator('.docs-table tr', { has: page.getByText(/^Account\./) })
  await expect(parts.first()).toBeVisible()
  const lines = await parts.locator('td:last-child').allInnerTexts()
  expect(lines.length).toBeGreaterThanOrEqual(10)
  expect(lines.filter((line) => line.trim() === '')).toEqual([])
})
