import {
  backDoor,
  carried,
  connectGitHub,
  conversation,
  expect,
  expectConnected,
  panel,
  say,
  shownTokens,
  test,
  throughPopup,
  unheardOf,
} from './demo.ts'

let repository: string

test.beforeEach(async ({ page }) => {
  repository = unheardOf('repo')
  await backDoor('github', 'repositories', { owner: 'octocat', name: repository })
  await page.goto('/tutorial.html')
  await expect(panel(page)).toBeVisible()
})

test('tutorial: a person connects GitHub in the panel, and the agent lists their repositories', async ({ page }) => {
  await connectGitHub(page)
  expect(carried(await say(page, 'List my repositories'))).toEqual(['github'])
  await expect(conversation(page)).toContainText(`octocat/${repository}`)
  expect(await shownTokens('github')).not.toEqual([])
})

test('tutorial: the agent lacks an account, the person connects it in the chat, and the agent answers', {
  tag: '@vault',
}, async ({ page }) => {
  expect(carried(await say(page, 'List my repositories'))).toEqual([])
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await expect(conversation(page)).toContainText(`octocat/${repository}`)
  await expect(connect).toBeHidden()
  await expectConnected(page, 'github')
})
