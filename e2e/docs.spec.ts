// Every page of documentation of the built Storybook, in the light and in the dark: it renders, nothing of it fails, and
// the page of a component has its props.
import { expect, type Page } from '@playwright/test'
import { buildStorybook, test } from './storybook.ts'

// Before any worker starts, also when this file runs alone.
buildStorybook()

/** A page's errors, and its failed requests. */
function complaints(page: Page): string[] {
  const found: string[] = []
  page.on('console', (message) => message.type() === 'error' && found.push(message.text()))
  page.on('pageerror', (error) => found.push(String(error)))
  page.on('response', (response) => response.status() >= 400 && found.push(`${response.status()} ${response.url()}`))
  return found
}

for (const theme of ['light', 'dark']) {
  test(`every page opens without an error, ${theme}`, async ({ page, book }) => {
    const pages = book.entries.filter(({ type }) => type === 'docs')
    expect(pages.filter(({ title }) => title.startsWith('Guides/')).length).toBeGreaterThanOrEqual(12)
    test.setTimeout(30_000 + pages.length * 15_000)
    const found = complaints(page)
    for (const { id, title } of pages) {
      await page.goto(`${book.url}/iframe.html?id=${id}&viewMode=docs&globals=theme:${theme}`)
      const content = page.locator('#storybook-docs .sbdocs-content')
      await expect(content.locator('h1').first(), title).toBeVisible()
      await expect(page.locator('html')).toHaveAttribute('data-theme', theme)
      // An error of one story is shown in its place.
      await expect(content.getByText(/Something went wrong rendering|No story found|error rendering/i)).toHaveCount(0)
      if (title.startsWith('Components/')) await expect(content.getByText('Loading...')).toHaveCount(0)
      expect(found, title).toEqual([])
    }
  })
}

interface ExtractedStory {
  title: string
  argTypes: Record<string, { description?: string }>
}

test('every prop of a component is explained on its page', async ({ page, book }) => {
  const [first] = book.entries.filter(({ type }) => type === 'story')
  await page.goto(`${book.url}/iframe.html?id=${first?.id}&viewMode=story`)
  await page.waitForFunction(() => '__STORYBOOK_PREVIEW__' in window)
  const stories = await page.evaluate(async () => {
    const { __STORYBOOK_PREVIEW__: preview } = window as unknown as {
      __STORYBOOK_PREVIEW__: { ready(): Promise<void>; extract(): Promise<Record<string, ExtractedStory>> }
    }
    await preview.ready()
    const all = Object.values(await preview.extract())
    return all.map(({ title, argTypes }) => ({
      title,
      props: Object.entries(argTypes).map(([name, { description }]) => ({ name, description })),
    }))
  })
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
