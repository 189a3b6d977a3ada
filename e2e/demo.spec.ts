import {
  addresses,
  backDoor,
  card,
  carried,
  chooseFor,
  closing,
  connectGitHub,
  connectGmail,
  connectKaggle,
  conversation,
  disconnect,
  everythingStored,
  expect,
  expectConnected,
  isLive,
  kaggleCredentials,
  open,
  panel,
  receivedTokens,
  say,
  shownTokens,
  tabTo,
  test,
  throughPopup,
  unheardOf,
  untilOver,
} from './demo.ts'

test('three accounts connect, Kaggle by keyboard alone, and the agent works with them', { tag: '@vault' }, async ({
  page,
}) => {
  const repository = unheardOf('repo')
  const subject = unheardOf('Invoices')
  const dataset = unheardOf('dataset')
  await backDoor('github', 'repositories', { owner: 'octocat', name: repository })
  await backDoor('google', 'messages', { user: 'ada@example.com', from: 'billing@example.com', subject })
  await backDoor('kaggle', 'datasets', { owner: 'adalovelace', title: dataset })
  const { token } = await kaggleCredentials()

  await open(page)
  await connectGitHub(page)
  await expect(card(page, 'github')).toContainText('Connected as octocat')
  await chooseFor(page, 'GitHub', 'Details for')
  const details = page.getByRole('dialog', { name: 'Details for GitHub' })
  await expect(details).toContainText('The Octocat')
  await expect(details).toContainText('See your profile')
  await page.keyboard.press('Escape')
  await connectGmail(page)
  await expect(card(page, 'gmail')).toContainText('Connected as ada@example.com Can read email')

  const connect = panel(page).getByRole('button', { name: 'Connect Kaggle' })
  await page.locator('body').click({ position: { x: 1, y: 1 } })
  await tabTo(page, connect)
  await page.keyboard.press('Enter')
  const link = panel(page).getByRole('link', { name: 'Get API Key' })
  await expect(link).toHaveAttribute('href', `${addresses.kaggle}/settings/account`)
  await expect(link).toHaveAttribute('target', '_blank')
  await expect(link).toHaveAttribute('rel', /noopener/)
  await tabTo(page, page.getByLabel('Kaggle API key'))
  await page.keyboard.insertText(token)
  await page.keyboard.press('Enter')
  await expectConnected(page, 'kaggle')
  await expect(card(page, 'kaggle')).toContainText('API key')
  await expect(card(page, 'kaggle')).toContainText('adalovelace')

  expect(carried(await say(page, 'List my repositories')).sort()).toEqual(['github', 'gmail', 'kaggle'])
  await expect(conversation(page)).toContainText(repository)
  await say(page, 'Search my mail for invoices')
  await expect(conversation(page)).toContainText(subject)
  await say(page, 'List my datasets')
  await expect(conversation(page)).toContainText(dataset)
})

test('a reload keeps all three, without a flash', { tag: '@vault' }, async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await connectGmail(page)
  await connectKaggle(page)
  await page.addInitScript(() => {
    const words: Record<string, string[]> = {}
    Object.assign(window, { words })
    new MutationObserver(() => {
      for (const node of document.querySelectorAll<HTMLElement>('article[data-provider]')) {
        const { provider = '', status = '' } = node.dataset
        words[provider] ??= []
        if (words[provider].at(-1) !== status) words[provider].push(status)
      }
    }).observe(document, { subtree: true, childList: true, attributes: true })
  })
  await page.reload()
  await expectConnected(page, 'github', 'gmail', 'kaggle')
  const words = await page.evaluate(() => (window as unknown as { words: Record<string, string[]> }).words)
  expect(Object.keys(words).sort()).toEqual(['github', 'gmail', 'kaggle'])
  for (const said of Object.values(words)) {
    expect(said.at(-1)).toBe('connected')
    expect(said.slice(0, -1).filter((word) => word !== 'loading')).toEqual([])
  }
  // The stored accounts still work.
  expect(carried(await say(page, 'List my repositories')).sort()).toEqual(['github', 'gmail', 'kaggle'])
  await expect(conversation(page)).toContainText('octocat/')
})

test('unticking a provider takes it out of the next request', { tag: '@vault' }, async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  await connectGmail(page)
  expect(carried(await say(page, 'List my repositories')).sort()).toEqual(['github', 'gmail'])
  await page.getByRole('switch', { name: 'Use Gmail in chat' }).uncheck()
  expect(carried(await say(page, 'List my repositories'))).toEqual(['github'])
  await page.reload()
  await expect(page.getByRole('switch', { name: 'Use Gmail in chat' })).not.toBeChecked()
  await page.getByRole('switch', { name: 'Use Gmail in chat' }).check()
  expect(carried(await say(page, 'List my repositories')).sort()).toEqual(['github', 'gmail'])
})

test('the menu beside the message box leaves an account out, and connects one that is missing', async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  const menu = page.getByRole('button', { name: 'Accounts in use: GitHub' })
  await menu.click()
  const list = page.getByRole('dialog', { name: 'Accounts in this chat' })
  await throughPopup(page, () => list.getByRole('button', { name: 'Connect Gmail' }).click(), 'Ada Lovelace')
  await list.getByRole('switch', { name: /GitHub/ }).uncheck()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Accounts in use: Gmail' })).toBeFocused()
  expect(carried(await say(page, 'Search my mail for invoices'))).toEqual(['gmail'])
  await page.getByRole('button', { name: /^Accounts/ }).click()
  await list.getByRole('button', { name: 'Manage accounts' }).click()
  await expect(page.getByRole('region', { name: 'Agent configuration' })).toBeFocused()
})

test('a tool whose account is missing asks for it in the chat, and continues once it is connected', {
  tag: '@vault',
}, async ({ page }) => {
  const repository = unheardOf('repo')
  await backDoor('github', 'repositories', { owner: 'octocat', name: repository })
  await open(page)
  await say(page, 'List my repositories')
  const connect = conversation(page).getByRole('button', { name: 'Connect GitHub' })
  await expect(connect).toBeVisible()
  await throughPopup(page, () => connect.click(), 'The Octocat')
  await expect(conversation(page)).toContainText(repository)
  await expectConnected(page, 'github')
})

test('other tabs follow, and two accounts connected at once from two tabs both survive', { tag: '@store' }, async ({
  context,
  page,
}) => {
  const other = await context.newPage()
  await open(page)
  await open(other)
  await Promise.all([connectGitHub(page), connectGmail(other)])
  await expectConnected(page, 'github', 'gmail')
  await expectConnected(other, 'github', 'gmail')
  await page.reload()
  await expectConnected(page, 'github', 'gmail')
  expect(carried(await say(page, 'List my repositories')).sort()).toEqual(['github', 'gmail'])
})

test('several flows at once do not affect each other', { tag: '@vault' }, async ({ page }) => {
  await open(page)
  const [github] = await Promise.all([
    page.waitForEvent('popup'),
    panel(page).getByRole('button', { name: 'Connect GitHub' }).click(),
  ])
  await page.bringToFront()
  const [gmail] = await Promise.all([
    page.waitForEvent('popup'),
    panel(page).getByRole('button', { name: 'Connect Gmail' }).click(),
  ])
  await gmail.getByRole('button', { name: 'Continue as Grace Hopper' }).click()
  await closing(gmail, gmail.getByRole('button', { name: 'Allow' }))
  await expectConnected(page, 'gmail')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'connecting')
  await github.getByRole('button', { name: 'Continue as Mona Lisa' }).click()
  await closing(github, github.getByRole('button', { name: 'Allow' }))
  await expectConnected(page, 'github')
  await expect(card(page, 'github')).toContainText('Connected as mona')
  await expect(card(page, 'gmail')).toContainText('grace@example.com')
})

test('disconnect asks first, then revokes the token at the provider', { tag: '@vault' }, async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  // Its profile was read with it.
  const access_token = (await shownTokens('github')).at(-1) ?? ''
  expect(await isLive('github', access_token)).toBe(true)
  await chooseFor(page, 'GitHub', 'Disconnect')
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  await expectConnected(page, 'github')
  await disconnect(page, 'GitHub')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  await expect(card(page, 'github')).toContainText(/revoked/i)
  expect(await isLive('github', access_token)).toBe(false)
})

test('disconnect reports when the provider could not be reached', { tag: '@vault' }, async ({ page, custody }) => {
  await open(page)
  await connectGitHub(page)
  if (custody === 'browser') await page.route('**/api/latchkey/revoke', (route) => route.abort())
  else {
    const path = '/api/v3/applications/sandbox-github/token'
    await backDoor('github', 'faults', { path, faults: [{ status: 503 }] })
  }
  await disconnect(page, 'GitHub')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  if (custody !== 'browser') return expect(card(page, 'github')).toContainText(/Disconnected here, but/i)
  await expect(card(page, 'github')).toContainText(/Disconnected here\. Access/i)
  const [token = ''] = await shownTokens('github')
  expect(await isLive('github', token)).toBe(true)
  // Kept, and finished once the page is online again.
  await page.unroute('**/api/latchkey/revoke')
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await expect.poll(() => isLive('github', token)).toBe(false)
})

test('M2: disconnecting works offline, and the provider is told later', { tag: '@vault' }, async ({
  page,
  context,
  custody,
}) => {
  await open(page)
  await connectGitHub(page)
  await page.reload()
  await expectConnected(page, 'github')
  // What the row opens, and what its end needs, is fetched while there is a network.
  const fetched = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .join(),
    )
  for (const chunk of [/menu\.lazy/, custody === 'browser' ? /refresh-/ : /vault-client-/, /pending-revocations-/])
    await expect.poll(fetched).toMatch(chunk)
  await context.setOffline(true)
  await disconnect(page, 'GitHub')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  await expect(card(page, 'github')).toContainText(/Disconnected here\. Access/)
  const [token = ''] = await shownTokens('github')
  expect(await isLive('github', token)).toBe(true)
  await context.setOffline(false)
  await expect.poll(() => isLive('github', token)).toBe(false)
  // What was promised is seen to be kept, and the next disconnect is told at once.
  await expect(card(page, 'github')).toContainText('Access to GitHub revoked.')
  await panel(page).getByRole('button', { name: 'Connect GitHub' }).click()
  await expectConnected(page, 'github')
  await connectGmail(page)
  await panel(page).getByRole('button', { name: 'More options', exact: true }).click()
  await page.getByRole('menuitem', { name: 'Disconnect all' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect all' }).click()
  await expect(panel(page)).toContainText('Access to GitHub (octocat) revoked.')
  await expect(panel(page)).toContainText('Access to Gmail (ada@example.com) revoked.')
})

test('m3: a window that waits for a slow server says where it goes, in the colours of the system', async ({ page }) => {
  await open(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await page.route('**/api/latchkey/providers', async (route) => {
    await held
    await route.continue()
  })
  const [popup] = await Promise.all([
    page.waitForEvent('popup'),
    panel(page).getByRole('button', { name: 'Connect GitHub' }).click(),
  ])
  await expect(popup.locator('body')).toHaveText('GitHub …')
  await expect(popup).toHaveTitle('GitHub')
  await expect(popup.locator('html')).toHaveCSS('color-scheme', 'light dark')
  release()
  await popup.getByRole('button', { name: 'Continue as The Octocat' }).waitFor()
})

test('M1: a cancel while the account is being made ends it, and revokes the token that comes late', async ({
  page,
}) => {
  await open(page)
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const tokens: string[] = []
  await page.route('**/api/latchkey/token', async (route) => {
    const response = await route.fetch()
    tokens.push(((await response.json()) as { token: { access_token: string } }).token.access_token)
    await held
    await route.fulfill({ response })
  })
  await throughPopup(page, () => panel(page).getByRole('button', { name: 'Connect GitHub' }).click(), 'The Octocat')
  await expect(card(page, 'github')).toContainText('Finishing up with GitHub…')
  await panel(page).getByRole('button', { name: 'Cancel connecting GitHub' }).click()
  await expect(panel(page).getByRole('button', { name: 'Connect GitHub' })).toBeFocused()
  release()
  await expect.poll(async () => tokens[0] !== undefined && (await isLive('github', tokens[0]))).toBe(false)
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
})

test('no secret can be read in storage, and none is written to the console', async ({ page }) => {
  const said: string[] = []
  page.on('console', (message) => said.push(message.text()))
  const tokens = await receivedTokens(page)
  const credentials = await kaggleCredentials()
  await open(page)
  await connectGitHub(page)
  await connectGmail(page)
  await connectKaggle(page, credentials.token)
  const secrets = [
    credentials.token,
    ...new Set([...(await shownTokens('github')), ...(await shownTokens('google'))]),
    ...tokens.flatMap(({ refresh_token }) => refresh_token ?? []),
  ]
  expect(tokens).toHaveLength(2)
  expect(secrets).toHaveLength(4)

  const clean = await everythingStored(page)
  for (const secret of secrets) expect(clean).not.toContain(secret)
  for (const secret of secrets) expect(said.join('\n')).not.toContain(secret)
  expect(clean).toContain('octocat')

  // First check that the search can find a secret.
  await page.evaluate((canary) => localStorage.setItem('canary', `${canary}-local`), 'CANARY')
  expect(await everythingStored(page)).toContain('CANARY-local')
  await page.evaluate(async (canary) => {
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.open('latchkey')
      request.onerror = () => reject(request.error)
      request.onsuccess = () => {
        const transaction = request.result.transaction('secrets', 'readwrite')
        transaction.objectStore('secrets').put({ rev: 1, sealed: `${canary}-indexed` }, 'canary')
        transaction.oncomplete = () => {
          request.result.close()
          resolve()
        }
      }
    })
  }, 'CANARY')
  expect(await everythingStored(page)).toContain('CANARY-indexed')
})

test('after a refusal, a closed window or a cancel, the card has a next action', { tag: '@vault' }, async ({
  page,
}) => {
  await open(page)
  const connect = panel(page).getByRole('button', { name: 'Connect GitHub' })

  const [refused] = await Promise.all([page.waitForEvent('popup'), connect.click()])
  await closing(refused, refused.getByRole('button', { name: 'Cancel' }))
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  await expect(card(page, 'github')).toContainText('You declined access')

  const [closed] = await Promise.all([page.waitForEvent('popup'), connect.click()])
  await closed.getByRole('button', { name: 'Continue as The Octocat' }).waitFor()
  await closed.close()
  await expect(card(page, 'github')).toContainText('Window closed before you finished')
  await throughPopup(
    page,
    () => card(page, 'github').getByRole('button', { name: 'Try again with GitHub' }).click(),
    'The Octocat',
  )
  await expectConnected(page, 'github')

  const [waiting] = await Promise.all([
    page.waitForEvent('popup'),
    panel(page).getByRole('button', { name: 'Connect Gmail' }).click(),
  ])
  // A cancel before the window has left for the authorization server closes it.
  await expect(waiting.getByRole('button', { name: 'Continue as Ada Lovelace' })).toBeVisible()
  await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'connecting')
  await card(page, 'gmail')
    .getByRole('button', { name: /^Cancel/ })
    .click()
  await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'disconnected')
  // Finishing in the open window does not connect the cancelled flow.
  await waiting.getByRole('button', { name: 'Continue as Ada Lovelace' }).click()
  await waiting.getByRole('button', { name: 'Allow' }).click()
  await expect(waiting.getByText('Return to the app')).toBeVisible()
  await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'disconnected')
})

test('a blocked window leads to this tab instead, and back', { tag: '@vault' }, async ({ page }) => {
  await page.addInitScript(() => {
    window.open = () => null
  })
  await open(page)
  await panel(page).getByRole('button', { name: 'Connect GitHub' }).click()
  await card(page, 'github').getByRole('button', { name: 'Open in this tab' }).click()
  await page.getByRole('button', { name: 'Continue as The Octocat' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await expectConnected(page, 'github')
  // The app's own URL never contains a code.
  expect(page.url()).toBe(`${addresses.app}/`)
})

test('a wrong key is refused with a message and stays in the form; a whole kaggle.json is accepted', {
  tag: '@vault',
}, async ({ page }) => {
  const { username, key } = await kaggleCredentials()
  await open(page)
  await panel(page).getByRole('button', { name: 'Connect Kaggle' }).click()
  const field = page.getByLabel('Kaggle API key')
  await field.fill(`KGAT_${'0'.repeat(32)}`)
  await panel(page).getByRole('button', { name: 'Connect', exact: true }).click()
  await expect(panel(page)).toContainText(/rejected this key/i)
  await expect(field).toHaveValue(`KGAT_${'0'.repeat(32)}`)

  await page.keyboard.press('Escape')
  await expect(panel(page).getByRole('button', { name: 'Connect Kaggle' })).toBeFocused()
  await page.keyboard.press('Enter')
  await field.fill(key)
  await expect(page.getByLabel('Kaggle username')).toBeVisible()

  await field.fill('')
  await field.focus()
  await page.evaluate((text) => {
    const data = new DataTransfer()
    data.setData('text/plain', text)
    document.activeElement?.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
    )
  }, JSON.stringify({ username, key }))
  await expect(page.getByLabel('Kaggle username')).toHaveValue(username)
  await page.keyboard.press('Enter')
  await expectConnected(page, 'kaggle')
  expect(carried(await say(page, 'List my datasets'))).toEqual(['kaggle'])
  await expect(conversation(page)).toContainText('adalovelace/')
})

test('a key that cannot be checked now is stored, and checked at first use', { tag: '@vault' }, async ({ page }) => {
  const { token } = await kaggleCredentials()
  await open(page)
  await backDoor('kaggle', 'faults', {
    path: '/v1/security.OAuthService/IntrospectToken',
    faults: [{ status: 503, body: 'busy' }],
  })
  await connectKaggle(page, token)
  await expect(card(page, 'kaggle')).toContainText('Not verified yet')
  await say(page, 'List my datasets')
  await expect(conversation(page)).toContainText('adalovelace/')
  await expect(card(page, 'kaggle')).not.toContainText('Not verified yet')
  await expect(card(page, 'kaggle')).toContainText('adalovelace')
})

test('an expired token is refreshed before it is sent', { tag: '@store' }, async ({ page, custody }) => {
  await backDoor('google', 'access-ttl', { seconds: 1 })
  await open(page)
  await connectGmail(page)
  await backDoor('google', 'access-ttl', { seconds: 3599 })
  const granted = new Set(await shownTokens('google'))
  expect(granted.size).toBeGreaterThan(0)
  await untilOver(1)
  const request = await say(page, 'Search my mail for invoices')
  expect(carried(request)).toEqual(['gmail'])
  await expect(conversation(page)).toContainText(/I found \d+ message/)
  const [first = ''] = granted
  if (custody === 'browser') expect(request.postData()).not.toContain(first)
  const calls = await backDoor<{ path: string; headers: Record<string, string> }[]>('google', 'log')
  const searches = calls.filter(({ path }) => path.endsWith('/users/me/messages'))
  expect(searches).toHaveLength(1)
  expect(searches[0]?.headers.authorization).toMatch(/^Bearer ./)
  expect(searches[0]?.headers.authorization).not.toBe(`Bearer ${first}`)
})

test('a token that was revoked at the provider leads to Reconnect in the chat, and the tool continues', {
  tag: '@vault',
}, async ({ page }) => {
  await open(page)
  await connectGitHub(page)
  // The person revokes the access at GitHub. The page is not told.
  await backDoor('github', 'reset', {})
  await say(page, 'List my repositories')
  const reconnect = conversation(page).getByRole('button', { name: 'Reconnect GitHub' })
  await expect(reconnect).toBeVisible()
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'needs-reconnect')
  await throughPopup(page, () => reconnect.click(), 'The Octocat')
  await expect(conversation(page)).toContainText('octocat/')
  await expectConnected(page, 'github')
})
