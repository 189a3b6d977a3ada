// @vitest-environment jsdom
import type { Agent, PersonRules } from '@latchkey/core/agents'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import type { ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConnectButton } from '../connect/connect-button.tsx'
import { AccountsMenu } from '../menu/accounts-menu.tsx'
import { ConnectedAccounts } from '../panel/connected-accounts.tsx'
import { fakeAccount } from '../testing.ts'
import { AgentAccess } from './access.tsx'
import { AccessPreview } from './access-preview.tsx'
import { accounts, fakeRules, tools } from './fake-oversight.ts'
import { type FakePageOptions, fakePage } from './fake-page.tsx'
import { Readiness } from './readiness.tsx'
import type { ReadinessProps } from './readiness-facts.ts'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

const HOUR = 3_600_000
const SEND = 'https://www.googleapis.com/auth/gmail.send'

function show(node: ReactNode, options: FakePageOptions = {}) {
  const page = fakePage(options)
  render(<page.Page>{node}</page.Page>)
  return page
}

/** The items of a list, as they are read. */
const items = (name: string) =>
  within(screen.getByRole('list', { name }))
    .getAllByRole('listitem')
    .map(({ textContent }) => textContent)

const nothing: PersonRules = { agents: {}, stopped: { agents: {}, accounts: {} } }
const person = (presets: Readonly<Record<string, 'trusted' | 'read-only' | 'off'>>): PersonRules => ({
  ...nothing,
  agents: { assistant: { accounts: {}, providers: presets, rules: [] } },
})

test('an agent has switches and a menu for accounts that the app gives it, and for no others', async () => {
  const page = fakePage()
  const { rerender } = render(<page.Page>{view('assistant')}</page.Page>)
  const switches = () => screen.queryAllByRole('switch').map((one) => one.getAttribute('aria-label'))
  await waitFor(() => expect(switches()).toEqual(['Use GitHub in chat', 'Use Gmail in chat']))
  const menu = screen.getByRole('button', { name: /^Accounts in use/ })
  expect(menu.textContent).toContain('GitHub and Gmail')
  rerender(<page.Page>{view('mail')}</page.Page>)
  await waitFor(() => expect(switches()).toEqual(['Use Gmail in chat']))
  expect(menu.dataset.carried).toBe('1')
  await userEvent.click(menu)
  const list = await screen.findByRole('dialog')
  expect(list.textContent).toContain('Gmail')
  expect(list.textContent).not.toContain('GitHub')
})

const view = (agent: string) => (
  <>
    <ConnectedAccounts agent={agent} />
    <AccountsMenu agent={agent} />
  </>
)

describe('a preview', () => {
  const scopes = ['read:user', 'repo']
  const client = { providers: [github({ scopes })], accounts: [fakeAccount({ scopes })] }
  const coder: Agent = {
    ...{ id: 'assistant', name: 'Assistant' },
    tools: [tools.listRepos, tools.createIssue].map((tool) => ({ ...tool, scopes: ['repo'] })),
  }
  const page = { client, agents: [coder], rules: nothing }

  test('what cannot be loaded is asked for once, until the person wants it again', async () => {
    const fake = fakePage({ ...page, failing: ['rules'] })
    const rules = vi.spyOn(fake.oversight, 'rules')
    render(
      <fake.Page>
        <AccessPreview agent="assistant" account="github.octocat" />
      </fake.Page>,
    )
    const button = await screen.findByRole('button', { name: 'Try again' })
    // Time for a circle of failing and asking.
    for (let turn = 0; turn < 50; turn++) await act(() => Promise.resolve())
    expect(button.isConnected).toBe(true)
    expect(rules).toHaveBeenCalledOnce()
    await userEvent.click(button)
    await waitFor(() => expect(rules).toHaveBeenCalledTimes(2))
  })

  test('says what is read and changed, what is sensitive and what no tool needs', async () => {
    show(<AccessPreview agent="assistant" account="github.octocat" />, page)
    expect(await screen.findByRole('heading', { name: 'What Assistant can do with octocat' })).toBeTruthy()
    expect(items('Reads')).toEqual(['List repositories'])
    expect(items('Changes')).toEqual(['Create an issueAsks first'])
    expect(items('Permissions on GitHub')).toEqual([
      'See your profileNo tool needs this',
      'Read and change all your repositories, private ones tooSensitive',
    ])
    expect(screen.queryByRole('list', { name: "Can't do" })).toBeNull()
  })

  test('of another preset is what is more and what is less, and it is said', async () => {
    show(<AccessPreview agent="assistant" account="github.octocat" change="trusted" />, page)
    await waitFor(() => expect(items('Allows more')).toEqual(['Create an issueAllowedBefore: Asks']))
    expect(screen.queryByRole('list', { name: 'Allows less' })).toBeNull()
    expect(screen.getByRole('status').textContent).toBe('Allows more: 1.')
    await userEvent.click(screen.getByRole('button', { name: 'Everything it can do then' }))
    expect(items('Changes')).toEqual(['Create an issue'])
  })

  test('of other rules may be less', async () => {
    show(<AccessPreview agent="assistant" account="github.octocat" change={person({ github: 'off' })} />, page)
    await waitFor(() =>
      expect(items('Allows less')).toEqual([
        'List repositoriesNeverBefore: Allowed',
        'Create an issueNeverBefore: Asks',
      ]),
    )
  })

  test('of more scopes names the scopes that come', async () => {
    const less = { ...client, accounts: [fakeAccount({ scopes: ['read:user'] })] }
    const rules = person({ github: 'trusted' })
    show(<AccessPreview agent="assistant" account="github.octocat" scopes={scopes} />, { ...page, rules, client: less })
    await waitFor(() =>
      expect(items('Allows more')).toEqual([
        'List repositoriesAllowedBefore: Asks',
        'Create an issueAllowedBefore: Asks',
        'Read and change all your repositories, private ones tooAllowedSensitiveBefore: Never',
      ]),
    )
  })

  test('before there is an account connects one that can change nothing', async () => {
    const { client } = show(<AccessPreview agent="assistant" provider="github" />, {
      ...page,
      client: { ...page.client, accounts: [] },
    })
    const connect = vi.spyOn(client, 'connect')
    await userEvent.click(await screen.findByRole('button', { name: 'Connect GitHub read-only' }))
    expect(connect).toHaveBeenCalledExactlyOnceWith('github', {
      ...{ intent: 'add-account', scopes: ['read:user', 'user:email'], accountId: undefined },
    })
  })

  test('offers no read-only account where that is what is asked for anyway', async () => {
    show(<AccessPreview agent="assistant" provider="gmail" />, { client: { accounts: [] } })
    expect(await screen.findByRole('list', { name: 'Permissions on Gmail' })).toBeTruthy()
    expect(screen.queryByRole('button')).toBeNull()
  })

  test('of many tools shows some, and the focus is on the list when all are there', async () => {
    const many = Array.from({ length: 11 }, (_, at) => ({
      ...tools.listRepos,
      name: `github/t${at}`,
      title: `Tool ${at}`,
    }))
    show(<AccessPreview agent="assistant" account="github.octocat" />, { ...page, agents: [{ ...coder, tools: many }] })
    await userEvent.click(await screen.findByRole('button', { name: 'Show 3 more' }))
    expect(items('Reads')).toHaveLength(11)
    expect(document.activeElement).toBe(screen.getByRole('list', { name: 'Reads' }))
  })

  test('of what is not there is nothing', async () => {
    const { Page } = fakePage(page)
    render(
      <Page>
        <AccessPreview agent="nobody" account="github.octocat" />
        <AccessPreview agent="assistant" account="github.nobody" />
        <AccessPreview agent="assistant" account="github.octocat" />
      </Page>,
    )
    await screen.findByRole('list', { name: 'Reads' })
    expect(screen.getAllByRole('region')).toHaveLength(1)
  })
})

describe('a choice of preset', () => {
  const open = async (options: FakePageOptions = {}) => {
    const page = show(<AgentAccess agent="assistant" />, options)
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: ada@example.com' }))
    return { ...page, change: vi.spyOn(page.oversight, 'change') }
  }

  test('that allows more shows it, and can be taken back', async () => {
    const { change } = await open()
    await userEvent.click(screen.getByRole('radio', { name: 'Trusted' }))
    await waitFor(() => expect(items('Allows more')).toEqual(['Send a messageAllowedBefore: Asks']))
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    expect(change).not.toHaveBeenCalled()
    const ask = screen.getByRole('radio', { name: 'Ask before changes' }) as HTMLInputElement
    expect(ask.checked).toBe(true)
    expect(document.activeElement).toBe(ask)
    expect(screen.queryByRole('list', { name: 'Allows more' })).toBeNull()
  })

  test('that allows less holds at once, and shows what it was', async () => {
    const { change } = await open()
    await userEvent.click(screen.getByRole('button', { name: 'Details: ada@example.com' }))
    await userEvent.click(await screen.findByRole('button', { name: 'End: Send a message' }))
    await waitFor(() => expect(screen.queryByRole('button', { name: /^End:/ })).toBeNull())
    change.mockClear()
    await userEvent.click(screen.getByRole('radio', { name: 'Read only' }))
    expect(change).toHaveBeenCalledOnce()
    await waitFor(() => expect(items('Allows less')).toContain('Send a messageNeverBefore: Asks'))
    expect(screen.queryByRole('list', { name: 'Ends' })).toBeNull()
    expect(screen.getByRole('status').textContent).toBe('Allows less: 2.')
    const row = screen.getByText('ada@example.com', { selector: '.latchkey-name bdi' }).closest('li')
    expect(row?.querySelector('.latchkey-line')?.textContent).toBe('Read only')
    expect(screen.queryByRole('button', { name: /^Switch to/ })).toBeNull()
  })

  test('that did not arrive is none', async () => {
    await open({ failing: ['change'], rules: fakeRules() })
    await userEvent.click(screen.getByRole('radio', { name: 'Trusted' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Switch to Trusted' }))
    expect((await screen.findByRole('alert')).textContent).toContain('nothing changed')
    expect((screen.getByRole('radio', { name: 'Ask before changes' }) as HTMLInputElement).checked).toBe(true)
  })
})

describe('a question for consent', () => {
  const scopes = ['read:user', 'repo']
  const client = { providers: [github({ scopes }), gmail()], accounts: [] }

  test('says what each agent could do with it, by what is ticked', async () => {
    const agents: Agent[] = [
      { id: 'a', name: 'Coder', tools: [{ ...tools.createIssue, scopes: ['repo'] }] },
      { id: 'b', name: 'Postman', providers: ['gmail'], tools: [] },
    ]
    show(<ConnectButton provider="github" />, { agents, client, consent: true })
    await userEvent.click(screen.getByRole('button', { name: 'Connect GitHub' }))
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(await dialog.findByRole('button', { name: 'What Coder could do with it' }))
    expect(dialog.queryByRole('button', { name: /Postman/ })).toBeNull()
    await waitFor(() => expect(items('Changes')).toEqual(['Create an issueAsks firstNeeds more access']))
    await userEvent.click(dialog.getByRole('checkbox', { name: /repositories/ }))
    expect(items('Changes')).toEqual(['Create an issueAsks first'])
  })

  test('has a way to connect read-only', async () => {
    const { client: page } = show(<ConnectButton provider="github" />, { client, consent: true })
    const connect = vi.spyOn(page, 'connect')
    await userEvent.click(screen.getByRole('button', { name: 'Connect GitHub' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Connect read-only' }))
    expect(connect.mock.calls[0]).toMatchObject(['github', { scopes: ['read:user', 'user:email'] }])
  })
})

describe('a run', () => {
  const agents: Agent[] = [
    {
      ...{ id: 'assistant', name: 'Assistant' },
      tools: [
        ...[tools.listRepos, tools.createIssue, tools.listMessages, tools.deleteDraft],
        { ...tools.sendMessage, scopes: [SEND] },
      ],
    },
  ]
  const trusted = person({ github: 'trusted', gmail: 'trusted' })
  const [octocat, ada] = accounts.map((account) => account)
  const sender = { ...ada!, scopes: [...gmail().scopes, SEND] }
  const named = ['github/create_issue', 'gmail/send_message']
  const check = (options: FakePageOptions = {}, props: Partial<ReadinessProps> = {}) => {
    const page = { agents, rules: trusted, client: { accounts: [octocat!, sender] }, ...options }
    return show(<Readiness agent="assistant" tools={named} duration={2 * HOUR} {...props} />, page)
  }
  const headline = () => screen.findByRole('heading').then(({ textContent }) => textContent)
  const row = (name: string) => within(screen.getAllByText(name)[0]!.closest<HTMLElement>('.latchkey-access-row')!)

  test('is ready, and says so in one sentence', async () => {
    check()
    expect(await headline()).toBe('Ready for this run')
    await userEvent.click(screen.getByRole('button', { name: '1 tool is ready: octocat' }))
    expect(items('octocat')).toEqual(['Create an issue'])
  })

  test('will ask; allowed for as long as it takes, it is ready, is said so, and the focus is on the headline', async () => {
    const { oversight } = check({ rules: nothing })
    const change = vi.spyOn(oversight, 'change')
    expect(await headline()).toBe('Ready, but it will ask about 2 tools')
    const before = Date.now()
    await userEvent.click(screen.getByRole('button', { name: 'Allow for this run: Create an issue' }))
    await waitFor(async () => expect(await headline()).toBe('Ready, but it will ask about a tool'))
    const send = screen.getByRole('button', { name: 'Allow for this run: Send a message' })
    send.focus()
    await userEvent.keyboard('{Enter}')
    await waitFor(async () => expect(await headline()).toBe('Ready for this run'))
    expect(document.activeElement).toBe(screen.getByRole('heading'))
    expect(screen.getAllByRole('status').map(({ textContent }) => textContent)).toContain('Ready for this run.')
    const { until, ...given } = change.mock.calls[0]![0] as { until: number }
    expect(given).toEqual({
      ...{ agent: 'assistant', of: { account: 'github.octocat' }, tool: 'github/create_issue' },
      ...{ version: '1', decision: 'allow' },
    })
    // It may begin some minutes after the click.
    expect(until).toBeGreaterThanOrEqual(before + 2 * HOUR + 600_000)
  })

  test('of more than a day cannot be allowed ahead, and what cannot be undone never can', async () => {
    check({ rules: nothing }, { duration: 24 * HOUR })
    expect(await headline()).toBe('Ready, but it will ask about 2 tools')
    expect(screen.queryByRole('button', { name: /^Allow/ })).toBeNull()
    cleanup()
    check({}, { tools: ['gmail/delete_draft'] })
    expect(await headline()).toBe('Ready, but it will ask about a tool')
    expect(screen.getByText("Can't be undone")).toBeTruthy()
    expect(screen.queryByRole('button', { name: /^Allow/ })).toBeNull()
  })

  test('lacks a scope, which is named and asked for beside those that the account has', async () => {
    const { client } = check({ client: { accounts: [octocat!, ada!] } })
    const connect = vi.spyOn(client, 'connect')
    expect(await headline()).toBe('1 thing to fix before this run')
    expect(screen.getByText('Needs: Send email as you')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Give more access: ada@example.com' }))
    expect(connect).toHaveBeenCalledExactlyOnceWith('gmail', {
      ...{ accountId: ada!.id, scopes: [...gmail().scopes, SEND] },
    })
    await waitFor(async () => expect(await headline()).toBe('Ready for this run'))
  })

  test('lacks accounts: one that is not there, and one to connect again', async () => {
    const accounts = [{ ...ada!, status: 'needs-reconnect' as const }]
    const { client } = check({ client: { accounts } }, { tools: ['github/create_issue', 'gmail/list_messages'] })
    const reconnect = vi.spyOn(client, 'reconnect')
    expect(await headline()).toBe('2 things to fix before this run')
    await userEvent.click(row('ada@example.com').getByRole('button', { name: 'Reconnect Gmail (ada@example.com)' }))
    expect(reconnect).toHaveBeenCalledOnce()
    await userEvent.click(row('GitHub').getByRole('button', { name: 'Connect GitHub' }))
    await waitFor(async () => expect(await headline()).toBe('Ready for this run'))
  })

  test('is stopped by what the person paused and stopped, until they start it again', async () => {
    const rules = { ...trusted, stopped: { agents: { assistant: 1 }, accounts: { 'github.octocat': 1 } } }
    check({ rules, client: { accounts: [octocat!, { ...sender, status: 'paused' }] } })
    expect(await headline()).toBe('3 things to fix before this run')
    await userEvent.click(screen.getByRole('button', { name: 'Start again: Assistant' }))
    await waitFor(async () => expect(await headline()).toBe('2 things to fix before this run'))
    await userEvent.click(screen.getByRole('button', { name: 'Start again: octocat' }))
    await waitFor(async () => expect(await headline()).toBe('1 thing to fix before this run'))
    await userEvent.click(screen.getByRole('button', { name: 'Resume Gmail (ada@example.com)' }))
    await waitFor(async () => expect(await headline()).toBe('Ready for this run'))
  })

  test('that the person forbade says by what; only a run that names the tool is not ready for that', async () => {
    const rules = person({ github: 'read-only', gmail: 'trusted' })
    check({ rules })
    expect(await headline()).toBe('1 thing to fix before this run')
    expect(screen.getByText('You chose: Read only')).toBeTruthy()
    cleanup()
    check({ rules }, { tools: undefined })
    expect(await headline()).toBe('Ready, but it will ask about a tool')
  })

  test('says which access ends first, or that it ends too early', async () => {
    const ending = { ...octocat!, renewable: false, expiresAt: Date.now() + 72 * HOUR }
    check({ client: { accounts: [ending, sender] } })
    expect(await screen.findByText('Access to octocat ends first, in 3 days.')).toBeTruthy()
    cleanup()
    const { client } = check({ client: { accounts: [{ ...ending, expiresAt: Date.now() + HOUR }, sender] } })
    expect(await headline()).toBe('1 thing to fix before this run')
    expect(row('octocat').getAllByText('Ends in 1 hour').length).toBeGreaterThan(0)
    const reconnect = vi.spyOn(client, 'reconnect')
    await userEvent.click(row('octocat').getByRole('button', { name: 'Reconnect GitHub (octocat)' }))
    expect(reconnect).toHaveBeenCalledOnce()
  })

  test('names a tool that is not offered any more', async () => {
    check({}, { tools: [...named, 'github/close_issue'] })
    expect(await headline()).toBe('1 thing to fix before this run')
    expect(screen.getByText('No longer offered')).toBeTruthy()
  })

  test('uses the accounts that it is said to use', async () => {
    check(
      { client: { accounts: [octocat!, ada!, { ...sender, id: 'gmail.b', label: 'b' }] } },
      { accounts: ['gmail.b'] },
    )
    expect(await headline()).toBe('1 thing to fix before this run')
    expect(screen.queryByText('ada@example.com')).toBeNull()
  })
})

test('a server renders both', () => {
  const { Page } = fakePage()
  const html = renderToString(
    <Page>
      <AccessPreview agent="assistant" account={accounts[0]!.id} />
      <Readiness agent="assistant" />
    </Page>,
  )
  expect(html.match(/aria-busy="true"/g)).toHaveLength(2)
})
