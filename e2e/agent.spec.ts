import { backDoor, connectKaggle, conversation, expect, open, say, test, throughPopup } from './demo.ts'

test('a skill, code mode and a service account: each answer names the account that it used', async ({ page }) => {
  await open(page)
  await connectKaggle(page)
  await say(page, 'Run the datasets skill')
  await expect(conversation(page)).toContainText('adalovelace/')
  await expect(conversation(page)).toContainText('as adalovelace')

  await say(page, 'Show the metrics')
  await expect(conversation(page)).toContainText('as the service account metrics-reader')
  await expect(conversation(page)).toContainText('error rate: 0.004')
})

test('code waits for a missing account, and then repeats no call', async ({ page }) => {
  await open(page)
  await say(page, 'Use code mode to count my repositories')
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await expect(conversation(page)).toContainText('octocat has 3 repositories')
  const log = await backDoor<{ path: string; status: number; headers: Record<string, string> }[]>('github', 'log')
  const calls = log.filter(({ path }) => path === '/api/v3/user/repos')
  expect(calls.map(({ status }) => status)).toEqual([200])
})
