// The whole panel by keyboard, with the announcements that Chromium's accessibility tree has for a screen reader.
import type { CDPSession, Locator, Page } from '@playwright/test'
import { card, expect, expectConnected, kaggleCredentials, open, panel, tabTo, test } from './demo.ts'

/** What the panel's live region says, as the accessibility tree has it. */
async function spoken(session: CDPSession): Promise<string> {
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  const region = nodes.find(({ role, name }) => role?.value === 'region' && name?.value === 'Connected Accounts')
  const words: string[] = []
  const visit = (id: string, live: boolean) => {
    const node = nodes.find(({ nodeId }) => nodeId === id)
    const polite =
      live || (node?.properties ?? []).some(({ name, value }) => name === 'live' && value.value === 'polite')
    if (polite && node?.role?.value === 'StaticText') words.push(String(node.name?.value))
    for (const child of node?.childIds ?? []) visit(child, polite)
  }
  if (region) visit(region.nodeId, false)
  return words.join(' ')
}

const hasFocus = (inside: Locator) => inside.evaluate((node) => node.contains(document.activeElement))

/** Goes to a control with Tab and presses it. */
async function press(page: Page, control: Locator): Promise<void> {
  await tabTo(page, control)
  await page.keyboard.press('Enter')
}

/** Signs in and agrees in a provider's window, with the keyboard too. */
async function agree(popup: Page, person: string): Promise<void> {
  await press(popup, popup.getByRole('button', { name: `Continue as ${person}` }))
  const allow = popup.getByRole('button', { name: 'Allow' })
  await allow.waitFor()
  await tabTo(popup, allow)
  await Promise.all([popup.waitForEvent('close'), popup.keyboard.press('Enter').catch(() => {})])
}

test('the whole panel works by keyboard, and every change is announced', async ({ page }) => {
  const { token } = await kaggleCredentials()
  await open(page)
  const session = await page.context().newCDPSession(page)
  const hears = (words: string) => expect.poll(() => spoken(session)).toBe(words)
  const button = (name: string) => panel(page).getByRole('button', { name, exact: true })
  const item = (name: string) => page.getByRole('menuitem', { name, exact: true })
  const dialog = page.getByRole('alertdialog').or(page.getByRole('dialog'))

  await test.step('connect', async () => {
    const opened = page.waitForEvent('popup')
    await press(page, button('Connect GitHub'))
    const popup = await opened
    await hears('Connecting GitHub.')
    await agree(popup, 'The Octocat')
    await expectConnected(page, 'github')
    await hears('GitHub: now connected as octocat.')
    await expect(button('GitHub')).toBeFocused()
  })

  await test.step('cancel, and connect after all', async () => {
    let opened = page.waitForEvent('popup')
    await press(page, button('Connect Gmail'))
    await opened
    await page.bringToFront()
    await hears('Connecting Gmail.')
    await press(page, button('Cancel connecting Gmail'))
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'disconnected')
    expect(await hasFocus(card(page, 'gmail'))).toBe(true)
    opened = page.waitForEvent('popup')
    await press(page, button('Connect Gmail'))
    await agree(await opened, 'Ada Lovelace')
    await expectConnected(page, 'gmail')
    await hears('Gmail: now connected as ada@example.com.')
  })

  await test.step('a key', async () => {
    await press(page, button('Connect Kaggle'))
    await expect(page.getByLabel('Kaggle API key')).toBeFocused()
    await page.keyboard.press('Escape')
    await expect(button('Connect Kaggle')).toBeFocused()
    await page.keyboard.press('Space')
    await expect(page.getByLabel('Kaggle API key')).toBeFocused()
    await page.keyboard.insertText('KGAT_nobody_was_given_this')
    await page.keyboard.press('Enter')
    await expect(panel(page).getByRole('alert')).toContainText('rejected this key')
    // The typed text is still in the field, with the focus.
    await expect(page.getByLabel('Kaggle API key')).toBeFocused()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.insertText(token)
    await page.keyboard.press('Enter')
    await expectConnected(page, 'kaggle')
    await hears('Kaggle: now connected as adalovelace.')
    await expect(button('Kaggle')).toBeFocused()
  })

  await test.step('pause and resume', async () => {
    await press(page, button('More options for GitHub'))
    await expect(button('More options for GitHub')).toHaveAttribute('aria-expanded', 'true')
    await expect(item('Details for GitHub')).toBeFocused()
    await page.keyboard.press('p')
    await expect(item('Pause GitHub')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(card(page, 'github')).toHaveAttribute('data-status', 'paused')
    await hears('GitHub: Paused.')
    expect(await hasFocus(card(page, 'github'))).toBe(true)
    await press(page, button('Resume GitHub'))
    await expectConnected(page, 'github')
    await hears('GitHub: now connected as octocat.')
  })

  await test.step('disconnect', async () => {
    await press(page, button('More options for GitHub'))
    await expect(item('Details for GitHub')).toBeFocused()
    await page.keyboard.press('End')
    await expect(item('Disconnect GitHub')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(dialog).toBeVisible()
    await expect.poll(() => hasFocus(dialog)).toBe(true)
    for (let presses = 0; presses < 4; presses++) {
      await page.keyboard.press(presses % 2 ? 'Shift+Tab' : 'Tab')
      expect(await hasFocus(dialog)).toBe(true)
    }
    await page.keyboard.press('Escape')
    await expect(dialog).toBeHidden()
    await expect(button('More options for GitHub')).toBeFocused()
    await page.keyboard.press('ArrowDown')
    await expect(item('Details for GitHub')).toBeFocused()
    await page.keyboard.press('ArrowUp')
    await expect(item('Disconnect GitHub')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect.poll(() => dialog.isVisible().then((is) => is && hasFocus(dialog))).toBe(true)
    await press(page, dialog.getByRole('button', { name: 'Disconnect' }))
    await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
    await hears('GitHub disconnected. Access revoked.')
    await expect.poll(() => hasFocus(card(page, 'github'))).toBe(true)
  })

  await test.step('disconnect all', async () => {
    await press(page, button('More options'))
    await expect(item('Disconnect all')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect.poll(() => dialog.isVisible().then((is) => is && hasFocus(dialog))).toBe(true)
    await press(page, dialog.getByRole('button', { name: 'Disconnect all' }))
    await expect(button('Connect Kaggle')).toBeVisible()
    await hears('2 accounts disconnected.')
    await expect.poll(() => hasFocus(panel(page))).toBe(true)
  })

  await test.step('and out of it again', async () => {
    for (let presses = 0; presses < 20 && (await hasFocus(panel(page))); presses++) await page.keyboard.press('Tab')
    expect(await hasFocus(panel(page))).toBe(false)
  })
})
