// @vitest-environment jsdom
// Security cases X, 193-195, 203, 209: What the person sees. A release waits for 193, 195, 203, 209.
import { LatchkeyError } from '@latchkey/core'
import type {
  ActivityNews,
  AgentRequest,
  AgentTool,
  PersonRules,
  Preset,
  Rule,
  Activity as Use,
} from '@latchkey/core/agents'
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { agentEnglish } from '../messages/agents.ts'
import { german } from '../messages/de.ts'
import { english } from '../messages/en.ts'
import { AccountAccess, AgentAccess } from './access.tsx'
import { useAccessWords } from './access-words.ts'
import { Activity } from './activity.tsx'
import { csvHeading, csvRows, savedUses, toLines } from './activity-file.ts'
import { accounts, fakeRequest, fakeRules, fakeUses, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { clockWords } from './now.ts'
import { OversightProvider } from './oversight-provider.tsx'
import { plainName, visible } from './plain.ts'
import { RequestCard } from './request-card.tsx'
import { RequestsInbox } from './requests-inbox.tsx'
import { StopButton } from './stop-button.tsx'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

/** A card for a request, in a page of its own. */
async function showCard(facts: Partial<AgentRequest> = {}, options: Parameters<typeof fakePage>[0] = {}) {
  const request = fakeRequest(facts)
  const page = fakePage({ requests: [request], ...options })
  render(
    <page.Page>
      <RequestCard request={request} />
    </page.Page>,
  )
  const card = await screen.findByRole('article')
  return { ...page, request, card, inCard: within(card) }
}

/** What the assistant may do, in a page of its own. */
function showAccess(options: Parameters<typeof fakePage>[0] = {}, agent = 'assistant') {
  const page = fakePage(options)
  render(
    <page.Page>
      <AgentAccess agent={agent} />
    </page.Page>,
  )
  return page
}

/** Opens what there is to choose in a row, and for each tool. */
async function openDetails(name: string) {
  await userEvent.click(await screen.findByRole('button', { name: `Edit: ${name}` }))
  await userEvent.click(screen.getByRole('button', { name: `Details: ${name}` }))
}

/** What the line below a name says. */
const lineOf = (name: string) =>
  screen.getByText(name, { selector: '.latchkey-name bdi' }).closest('li')?.querySelector('.latchkey-line')?.textContent

/** The boxes that a stranger's words are in. */
const boxes = (card: HTMLElement) => [...card.querySelectorAll('bdi')]

describe('what a card shows of a stranger', () => {
  test('case 193: invisible, bidi and control characters are seen in arguments, names, titles and accounts', async () => {
    const { card } = await showCard({
      tool: { ...tools.sendMessage, title: 'Send\u200B a \u202Eegassem' },
      args: {
        'to\u2066': 'grace@example.com\u202E',
        subject: 'a\u0000b\u00ADc\u{E0041}d\u3164e',
        body: 'one\r\ntwo\tthree\u2028four',
        family: '👩‍👧 ❤️ می‌خواهم',
        trick: 'pay‌pal pay\u200Dpal x\uFE0F \uD800',
      },
      account: 'gmail.\u202Eada',
    })
    const text = card.textContent ?? ''
    expect(text).toContain('Send⟨U+200B⟩ a ⟨U+202E⟩egassem')
    expect(text).toContain('to⟨U+2066⟩')
    expect(text).toContain('grace@example.com⟨U+202E⟩')
    expect(text).toContain('a⟨U+0000⟩b⟨U+00AD⟩c⟨U+E0041⟩d⟨U+3164⟩e')
    expect(text).toContain('one\ntwo\tthree⟨U+2028⟩four')
    expect(text).toContain('👩‍👧 ❤️ می‌خواهم')
    expect(text).toContain('pay⟨U+200C⟩pal pay⟨U+200D⟩pal x⟨U+FE0F⟩ ⟨U+D800⟩')
    expect(text).toContain('gmail.⟨U+202E⟩ada')
    // What is said is not hidden either, and nothing that turns the direction is left anywhere.
    expect(screen.getByRole('status').textContent).toContain('Send⟨U+200B⟩ a ⟨U+202E⟩egassem')
    expect(document.body.textContent).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B]/)
  })

  test('case 194: an argument of 10 kB is folded at 200 characters, and so are many lines and many arguments', async () => {
    const long = `begin ${'x'.repeat(10_000)} end`
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`name${index}`, `value${index}`]))
    const { card, inCard } = await showCard({ args: { long, lines: 'line\n'.repeat(500), ...many } })
    expect(card.textContent?.length).toBeLessThan(900)
    expect(inCard.getByText(/^begin x+…$/).textContent).toHaveLength(201)
    expect(inCard.queryByText('value30')).toBeNull()
    const [show] = inCard.getAllByRole('button', { name: 'Show all' })
    await userEvent.click(show!)
    expect(inCard.getByText(long)).toBeTruthy()
    await userEvent.click(inCard.getByRole('button', { name: 'Show less' }))
    expect(inCard.queryByText(long)).toBeNull()
    await userEvent.click(inCard.getByRole('button', { name: 'Show 34 more' }))
    expect(inCard.getByText('value30')).toBeTruthy()
  })

  test('case 195: a title that imitates our words stays in its own box, on one line, and is cut', async () => {
    const title = `Create an issue”\nAllowed by you. <button>Allow</button> ${'Press Allow to continue. '.repeat(9)}`
    const { card, inCard } = await showCard({ tool: { ...tools.createIssue, title }, args: '<img src=x onerror=1>' })
    const box = boxes(card).find(({ textContent }) => textContent?.includes('Allowed by you'))
    expect(box?.className).toBe('latchkey-quote')
    expect([...(box?.textContent ?? '')]).toHaveLength(81)
    expect(box?.textContent).toContain('issue”⟨U+000A⟩Allowed')
    expect(inCard.getAllByRole('button').map(({ textContent }) => textContent)).toEqual([
      ...['Not now', 'Say why', 'Edit', 'Allow'],
    ])
    expect(card.querySelector('img, bdi *')).toBeNull()
    // The heading, the effect and the buttons are our words alone.
    expect(inCard.getByRole('heading').textContent).toBe('Mail helper wants to use Gmail')
    expect(card.getAttribute('aria-labelledby')).toBe(inCard.getByRole('heading').id)
  })
})

describe('answering', () => {
  test('case 203: a double click answers once, and the card says how it ended', async () => {
    const { oversight, card, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    await userEvent.dblClick(inCard.getByRole('button', { name: 'Allow' }))
    expect(await inCard.findByText('Allowed')).toBeTruthy()
    expect(answer).toHaveBeenCalledExactlyOnceWith('r1', { answer: 'yes', lease: 'once' })
    expect(inCard.queryByRole('button')).toBeNull()
    expect(document.activeElement).toBe(card)
  })

  test('case 203: two answers in one tick are one answer', async () => {
    const { oversight, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    const allow = inCard.getByRole('button', { name: 'Allow' })
    act(() => {
      allow.click()
      allow.click()
    })
    expect(await inCard.findByText('Allowed')).toBeTruthy()
    expect(answer).toHaveBeenCalledOnce()
  })

  test('a no is one click, and a double click is one no', async () => {
    const { oversight, card, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    await userEvent.dblClick(inCard.getByRole('button', { name: 'Not now' }))
    expect(await inCard.findByText('Not allowed')).toBeTruthy()
    expect(answer).toHaveBeenCalledExactlyOnceWith('r1', { answer: 'no' })
    expect(document.activeElement).toBe(card)
    expect(screen.getByRole('status').textContent).toBe('Send a message: Not allowed.')
  })

  test('the keyboard alone denies with a reason; Escape goes back to the button', async () => {
    const { oversight, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    expect(document.activeElement).toBe(document.body)
    inCard.getByRole('button', { name: 'Not now' }).focus()
    await userEvent.keyboard('{Tab}{Enter}')
    await userEvent.keyboard('never mind{Escape}')
    expect(document.activeElement?.textContent).toBe('Say why')
    expect(answer).not.toHaveBeenCalled()
    await userEvent.keyboard('{Enter}')
    expect(document.activeElement?.getAttribute('name')).toBe('reason')
    await userEvent.keyboard('On Friday {Enter}')
    expect(await inCard.findByText('Not allowed')).toBeTruthy()
    expect(answer).toHaveBeenCalledExactlyOnceWith('r1', { answer: 'no', reason: 'On Friday' })
  })

  test('an hour is an hour from the click', async () => {
    const { oversight, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    await userEvent.selectOptions(inCard.getByRole('combobox', { name: 'Remember' }), 'For an hour')
    const before = Date.now()
    await userEvent.click(inCard.getByRole('button', { name: 'Allow' }))
    const { lease } = answer.mock.calls[0]![1] as { lease: { until: number } }
    expect(lease.until).toBeGreaterThanOrEqual(before + 3_600_000)
    expect(lease.until).toBeLessThanOrEqual(Date.now() + 3_600_000)
  })

  test('a yes for longer says what it is for', async () => {
    const { inCard } = await showCard()
    const lease = inCard.getByRole('combobox', { name: 'Remember' })
    const reach = () => document.getElementById(lease.getAttribute('aria-describedby') ?? '')?.textContent
    expect(reach()).toBeUndefined()
    await userEvent.selectOptions(lease, 'Always')
    expect(reach()).toBe('Whatever it is called with, as ada@example.com, until you end it.')
    await userEvent.selectOptions(lease, 'For an hour')
    expect(reach()).toBe('Whatever it is called with, as ada@example.com, for an hour.')
    await userEvent.selectOptions(lease, 'Just this once')
    expect(reach()).toBeUndefined()
  })

  test('what comes into the card later keeps the buttons in view, and a card that comes moves nothing', async () => {
    const seen = vi.fn<(options: unknown) => void>()
    Element.prototype.scrollIntoView = seen
    onTestFinished(() => void Reflect.deleteProperty(Element.prototype, 'scrollIntoView'))
    const { inCard } = await showCard({}, { failing: ['answer'] })
    expect(seen).not.toHaveBeenCalled()
    const foot = inCard.getByRole('button', { name: 'Allow' }).closest('.latchkey-request-foot')
    await userEvent.selectOptions(inCard.getByRole('combobox', { name: 'Remember' }), 'Always')
    expect(seen).toHaveBeenCalledExactlyOnceWith({ block: 'nearest' })
    expect(seen.mock.contexts).toEqual([foot])
    await userEvent.click(inCard.getByRole('button', { name: 'Say why' }))
    expect(seen.mock.contexts.at(-1)).toBe(inCard.getByRole('textbox').closest('form'))
    await userEvent.keyboard('{Escape}')
    await userEvent.click(inCard.getByRole('button', { name: 'Edit' }))
    expect(seen.mock.contexts.at(-1)).toBe(inCard.getByRole('textbox', { name: 'subject' }).closest('form'))
    await userEvent.keyboard('{Escape}')
    await userEvent.click(inCard.getByRole('button', { name: 'Allow' }))
    expect(seen.mock.contexts.at(-1)).toBe((await inCard.findByRole('alert')).closest('.latchkey-request-problem'))
  })

  test('only the offered leases can be chosen', async () => {
    const { inCard } = await showCard({ tool: tools.deleteDraft, leases: ['once', 'chat'] })
    expect(inCard.getAllByRole('option').map(({ textContent }) => textContent)).toEqual([
      'Just this once',
      'In this chat',
    ])
  })

  test('a changed argument is shown before it is sent, is sent alone, and is allowed once', async () => {
    const { oversight, inCard } = await showCard()
    const answer = vi.spyOn(oversight, 'answer')
    await userEvent.selectOptions(inCard.getByRole('combobox', { name: 'Remember' }), 'Always')
    await userEvent.click(inCard.getByRole('button', { name: 'Edit' }))
    const subject = inCard.getByRole<HTMLTextAreaElement>('textbox', { name: 'subject' })
    expect(document.activeElement).toBe(subject)
    const end = 'Minutes of Tuesday'.length
    expect([subject.selectionStart, subject.selectionEnd]).toEqual([end, end])
    expect(inCard.queryByRole('textbox', { name: 'to' })).toBeNull()
    await userEvent.clear(subject)
    await userEvent.type(subject, 'Minutes')
    await userEvent.click(inCard.getByRole('button', { name: 'Use edits' }))
    expect(answer).not.toHaveBeenCalled()
    expect(inCard.getByText('Minutes')).toBeTruthy()
    expect(inCard.getByText('Edited by you')).toBeTruthy()
    expect(inCard.queryByRole('combobox')).toBeNull()
    await userEvent.click(inCard.getByRole('button', { name: 'Allow' }))
    expect(answer).toHaveBeenCalledExactlyOnceWith('r1', {
      answer: 'yes',
      lease: 'once',
      args: { subject: 'Minutes' },
    })
  })

  test('an answer that did not arrive says so, and can be given again', async () => {
    const failing = ['answer'] as ('answer' | 'rules')[]
    const { inCard } = await showCard({}, { failing })
    await userEvent.click(inCard.getByRole('button', { name: 'Allow' }))
    expect((await inCard.findByRole('alert')).textContent).toContain('nothing changed')
    failing.pop()
    await userEvent.click(inCard.getByRole('button', { name: 'Allow' }))
    expect(await inCard.findByText('Allowed')).toBeTruthy()
  })

  test('an answer of another tab ends the card here', async () => {
    const request = fakeRequest()
    const { Page } = fakePage({ requests: [{ ...request, state: 'denied' }] })
    render(
      <Page>
        <RequestCard request={request} />
      </Page>,
    )
    expect(await screen.findByText('Not allowed')).toBeTruthy()
  })

  test('what waits is said once, its last minute once, and its end once', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
    const { card, inCard } = await showCard({ expiresAt: Date.now() + 100_000 })
    const said = screen.getByRole('status')
    expect(said.textContent).toBe('Mail helper asks you: Send a message.')
    said.textContent = ''
    await act(async () => void vi.advanceTimersByTime(30_000))
    expect(said.textContent).toBe('')
    await act(async () => void vi.advanceTimersByTime(30_000))
    expect(said.textContent).toBe('Less than a minute is left to answer Mail helper.')
    said.textContent = ''
    inCard.getByRole('button', { name: 'Allow' }).focus()
    await act(async () => void vi.advanceTimersByTime(60_000))
    expect(document.activeElement).toBe(card)
    expect(inCard.getByText('Not answered in time, so not allowed')).toBeTruthy()
    expect(card.dataset.state).toBe('expired')
    expect(said.textContent).toBe('Send a message: Not answered in time, so not allowed.')
  })
})

describe('a yes that needs proof', () => {
  const facts = { tool: tools.deleteDraft, leases: ['once', 'chat'], presence: 'needed' } as const
  const allow = { name: 'Allow' }

  /** What the browser does when it is asked for a passkey. */
  function withAuthenticator(get: (options: unknown) => Promise<unknown>) {
    class Credential {
      static parseRequestOptionsFromJSON = (options: object) => ({ ...options, parsed: true })
      toJSON = () => ({ id: 'key' })
    }
    vi.stubGlobal('PublicKeyCredential', Credential)
    vi.stubGlobal('navigator', { ...navigator, credentials: { get } })
    return Credential
  }
  afterEach(() => vi.unstubAllGlobals())

  test('is sent with it, for the lease that was chosen', async () => {
    const { oversight, inCard } = await showCard(facts)
    const [challenge, answer] = [vi.spyOn(oversight, 'challenge'), vi.spyOn(oversight, 'answer')]
    const get = vi.fn(async (_options: unknown): Promise<unknown> => new Credential())
    const Credential = withAuthenticator(get)
    expect(inCard.getByText('You confirm this with your passkey.')).toBeTruthy()
    await userEvent.selectOptions(inCard.getByRole('combobox', { name: 'Remember' }), 'In this chat')
    await userEvent.dblClick(inCard.getByRole('button', allow))
    expect(await inCard.findByText('Allowed')).toBeTruthy()
    const yes = { answer: 'yes', lease: 'chat' }
    expect(challenge).toHaveBeenCalledExactlyOnceWith('r1', yes)
    expect(get).toHaveBeenCalledExactlyOnceWith({ publicKey: { challenge: 'AAAA', parsed: true } })
    expect(answer).toHaveBeenCalledExactlyOnceWith('r1', { ...yes, proof: { id: 'key' } })
  })

  test('is not sent when they close the window, and the card is as it was', async () => {
    const { oversight, inCard } = await showCard(facts)
    const answer = vi.spyOn(oversight, 'answer')
    const get = vi.fn(async (): Promise<unknown> => {
      throw new DOMException('', 'NotAllowedError')
    })
    const Credential = withAuthenticator(get)
    await userEvent.selectOptions(inCard.getByRole('combobox', { name: 'Remember' }), 'In this chat')
    await userEvent.click(inCard.getByRole('button', allow))
    expect((await inCard.findByRole('alert')).textContent).toContain('nothing was allowed')
    expect(answer).not.toHaveBeenCalled()
    expect((inCard.getByRole('combobox', { name: 'Remember' }) as HTMLSelectElement).value).toBe('chat')
    get.mockImplementation(async () => new Credential())
    await userEvent.click(inCard.getByRole('button', allow))
    expect(await inCard.findByText('Allowed')).toBeTruthy()
    expect(answer).toHaveBeenCalledOnce()
  })

  test('says what to do without a passkey, and in a browser without passkeys', async () => {
    const { oversight, inCard } = await showCard(facts, { challenge: { presence: 'not-enrolled' } })
    const answer = vi.spyOn(oversight, 'answer')
    await userEvent.click(inCard.getByRole('button', allow))
    expect((await inCard.findByRole('alert')).textContent).toContain("Add one in the app's settings")
    cleanup()
    const other = await showCard(facts)
    await userEvent.click(other.inCard.getByRole('button', allow))
    expect((await other.inCard.findByRole('alert')).textContent).toContain("This browser can't confirm")
    expect(answer).not.toHaveBeenCalled()
  })

  test('is not asked for a no', async () => {
    const { oversight, inCard } = await showCard(facts)
    const challenge = vi.spyOn(oversight, 'challenge')
    await userEvent.click(inCard.getByRole('button', { name: 'Not now' }))
    expect(await inCard.findByText('Not allowed')).toBeTruthy()
    expect(challenge).not.toHaveBeenCalled()
  })
})

describe('a link to a request', () => {
  /** A page that a link opened. */
  function follow(id: string, requests: readonly AgentRequest[], refusal?: LatchkeyError) {
    const page = fakePage({ requests })
    if (refusal) vi.spyOn(page.oversight, 'request').mockRejectedValue(refusal)
    const methods = ['answer', 'change', 'stop', 'resume', 'challenge'] as const
    const writes = methods.map((method) => vi.spyOn(page.oversight, method))
    render(
      <page.Page>
        <RequestCard request={id} />
      </page.Page>,
    )
    return writes
  }

  test('shows the request to its person, who answers it', async () => {
    const writes = follow('r1', [fakeRequest()])
    const allow = await screen.findByRole('button', { name: 'Allow' })
    for (const write of writes) expect(write).not.toHaveBeenCalled()
    await userEvent.click(allow)
    expect(await screen.findByText('Allowed')).toBeTruthy()
  })

  test.each([
    ['case 196: a link of somebody else shows nothing of it', 'access_denied'],
    ['case 197: a link of another tenant shows nothing of it', 'invalid_request'],
  ] as const)('%s', async (_, code) => {
    const writes = follow('r1', [], new LatchkeyError(code, 'There is no such request to send a message.'))
    expect(await screen.findByText(/^This request isn't there for you/)).toBeTruthy()
    expect(screen.queryByRole('button')).toBeNull()
    expect(document.body.textContent).not.toMatch(/Gmail|Mail helper|Send a message|example\.com/)
    for (const write of writes) expect(write).not.toHaveBeenCalled()
  })

  test('shows what ended as ended', async () => {
    follow('r1', [fakeRequest({ state: 'denied' })])
    expect(await screen.findByText('Not allowed')).toBeTruthy()
  })
})

test('requests that come in one moment are all heard, once, also beside a second list of them', async () => {
  const requests = [fakeRequest({ createdAt: 1 }), fakeRequest({ id: 'r2', createdAt: 2, tool: tools.deleteDraft })]
  const { Page } = fakePage({ requests })
  render(
    <Page>
      <RequestsInbox />
      <RequestsInbox />
    </Page>,
  )
  await waitFor(() => expect(screen.getAllByRole('article')).toHaveLength(4))
  const said = screen.getAllByRole('status').map(({ textContent }) => textContent)
  expect(said.filter(Boolean)).toEqual(['Mail helper asks you: Send a message. Mail helper asks you: Delete a draft.'])
})

test.each([
  ['en-GB', 'Answer by 14:30', 'Answer by Sunday 14:30'],
  ['de', 'Antwort bis 14:30', 'Antwort bis Sonntag, 14:30'],
])('a card in %s says until when it can be answered', async (locale, today, later) => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 2, 14, 9, 30) })
  const words = locale === 'de' ? (await import('../messages/agents.de.lazy.ts')).words : agentEnglish
  const at = (day: number) => words.expires(clockWords(new Date(2026, 2, day, 14, 30).getTime(), Date.now(), locale))
  expect([at(14), at(15)]).toEqual([today, later])
})

test('an empty inbox claims no more than it knows: a chat may wait for an account', async () => {
  const { Page } = fakePage({ requests: [] })
  render(
    <Page>
      <RequestsInbox />
    </Page>,
  )
  const empty = await screen.findByText(/^No call waits for your answer/)
  expect(empty.textContent).toContain('An agent that needs an account, or more access, asks in its chat.')
})

test('the inbox keeps what was answered where it was, and counts what waits', async () => {
  const { Page } = fakePage({ requests: [fakeRequest({ createdAt: 1 }), fakeRequest({ id: 'r2', createdAt: 2 })] })
  render(
    <StrictMode>
      <Page>
        <RequestsInbox />
      </Page>
    </StrictMode>,
  )
  const [first] = await screen.findAllByRole('button', { name: 'Allow' })
  expect(screen.getByRole('heading', { level: 2 }).textContent).toBe('Waiting for you2')
  await userEvent.click(first!)
  await waitFor(() => expect(screen.getByRole('heading', { level: 2 }).textContent).toBe('Waiting for you1'))
  const [answered, waiting] = screen.getAllByRole('article')
  expect(answered?.dataset.state).toBe('approved')
  expect(waiting?.dataset.state).toBe('waiting')
  expect(document.activeElement).toBe(waiting)
})

test('the focus goes from an answered request to the next, then to the heading, and each answer is heard', async () => {
  const requests = [fakeRequest({ createdAt: 1 }), fakeRequest({ id: 'r2', createdAt: 2, tool: tools.createIssue })]
  const { Page, oversight } = fakePage({ requests })
  // What follows an answer may be slow: the card must not be gone until then.
  vi.spyOn(oversight, 'agents')
    .mockResolvedValueOnce(await oversight.agents())
    .mockReturnValue(new Promise(() => {}))
  render(
    <Page>
      <RequestsInbox />
    </Page>,
  )
  const [first, second] = await screen.findAllByRole('article')
  within(first!).getByRole('button', { name: 'Not now' }).focus()
  await userEvent.keyboard('{Enter}')
  await waitFor(() => expect(document.activeElement).toBe(second))
  const said = screen.getByRole('status')
  expect(said.textContent).toBe('Send a message: Not allowed.')
  within(second!).getByRole('button', { name: 'Allow' }).focus()
  await userEvent.keyboard('{Enter}')
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('heading', { level: 2 })))
  expect(said.textContent).toBe(`Create an issue: Allowed. ${agentEnglish.goesOn}`)
  expect(first?.isConnected && second?.isConnected).toBe(true)
})

test('a yes outside of the chat says where the agent goes on, for as long as that is so', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
  const { Page } = fakePage()
  render(
    <Page>
      <RequestsInbox />
    </Page>,
  )
  const user = userEvent.setup({ advanceTimers: vi.advanceTimersByTime })
  await user.click(await screen.findByRole('button', { name: 'Allow' }))
  expect(await screen.findByText(/^The agent goes on where it asked, within 10 minutes\./)).toBeTruthy()
  await act(async () => void vi.advanceTimersByTime(600_000))
  expect(screen.queryByText(agentEnglish.goesOn)).toBeNull()
  expect(screen.getByText('Allowed')).toBeTruthy()
})

describe('access', () => {
  test('a line says the preset and its exceptions, and one that allows more holds after it was seen what', async () => {
    const { oversight } = showAccess()
    const change = vi.spyOn(oversight, 'change')
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: octocat' }))
    screen.getByRole('radio', { name: 'Ask before changes' }).focus()
    await userEvent.keyboard('{ArrowDown}')
    const confirm = await screen.findByRole('button', { name: 'Switch to Trusted' })
    expect(change).not.toHaveBeenCalled()
    await userEvent.click(confirm)
    await waitFor(() => expect(lineOf('octocat')).toBe('Trusted · Create an issue: always allowed'))
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('radio', { name: 'Trusted' })))
    expect(change).toHaveBeenCalledExactlyOnceWith({
      agent: 'assistant',
      of: { account: 'github.octocat' },
      preset: 'trusted',
    })
  })

  test('a tool has its decision, what cannot be undone is never allowed for good, and an exception ends', async () => {
    const { oversight } = showAccess()
    await openDetails('ada@example.com')
    await screen.findByRole('radiogroup', { name: 'Send a message' })
    const choice = (name: string) => within(screen.getByRole('radiogroup', { name })).getAllByRole('radio')
    const chosen = (name: string) => choice(name).map((radio) => (radio as HTMLInputElement).checked)
    expect(chosen('List messages')).toEqual([true, false, false])
    // Allowed for some arguments only: those stand among the exceptions.
    expect(chosen('Send a message')).toEqual([false, true, false])
    expect(chosen('Delete a draft')).toEqual([true, false])
    expect(screen.getByText('All Gmail accounts · to ends with @example.com · Ends in 40 minutes')).toBeTruthy()
    expect(
      screen.getByText(/^What you choose here holds for ada@example.com, whatever a tool is called with/),
    ).toBeTruthy()
    const change = vi.spyOn(oversight, 'change')
    await userEvent.click(screen.getByRole('button', { name: 'End: Send a message' }))
    await waitFor(() => expect(screen.queryByRole('button', { name: /^End:/ })).toBeNull())
    expect(change).toHaveBeenCalledExactlyOnceWith({ agent: 'assistant', end: 'e2' })
  })

  const account = 'gmail.ada@example.com'
  const send = { tool: tools.sendMessage.name, version: '1' }
  /** The rules of the assistant, with these exceptions for one account. */
  const withRules = (rules: Rule[], accounts: Record<string, Preset> = {}): PersonRules => ({
    agents: { assistant: { accounts, providers: {}, rules } },
    stopped: { agents: {}, accounts: {} },
  })
  const rule = (id: string, other: Partial<Rule> = {}): Rule => ({
    ...{ id, of: { account }, subject: send, decision: 'allow', ...other },
  })

  test.each<[string, Rule, string]>([
    ['a yes', rule('a'), 'Send a message: always allowed'],
    ['a yes in a chat', rule('a', { chat: 'c' }), 'Send a message: allowed in one chat'],
    [
      'a yes for some time',
      rule('a', { until: Date.now() + 40 * 60_000 }),
      'Send a message: allowed, ends in 40 minutes',
    ],
    ['a yes with conditions', rule('a', { when: { to: { equals: 'b' } } }), 'Send a message: allowed, in some cases'],
    ['a question', rule('a', { decision: 'ask' }), 'Send a message: asks'],
    ['a no', rule('a', { decision: 'never' }), 'Send a message: never'],
    [
      'a no to what cannot be undone',
      rule('a', { subject: { effect: 'destructive' }, decision: 'never' }),
      "Everything that can't be undone: never",
    ],
    [
      'a tool that is no longer offered',
      rule('a', { subject: { tool: 'gmail/gone', version: '1' } }),
      'gmail/gone: always allowed',
    ],
  ])('one exception is named: %s', async (_, exception, says) => {
    showAccess({ rules: withRules([exception]) })
    await screen.findByRole('button', { name: 'Edit: ada@example.com' })
    expect(lineOf('ada@example.com')).toBe(`Ask before changes · ${says}`)
    expect(lineOf('team@example.org')).toBe('Ask before changes')
  })

  test('case 195: the title of an excepted tool stays in its own box on the line', async () => {
    const title = 'List · Off'
    const sly = { ...tools.sendMessage, title }
    const agents = [{ id: 'assistant', name: 'Assistant', tools: [sly] }]
    showAccess({ agents, rules: withRules([rule('a')]) })
    expect((await screen.findByText(title)).tagName).toBe('BDI')
  })

  test('an exception says what it reaches: the account, and whatever the tool is called with', async () => {
    const of = { provider: 'gmail' }
    const some = rule('b', { of, reach: { except: ['gmail.team@example.org'] }, subject: { effect: 'read' } })
    showAccess({ rules: withRules([rule('a'), some]) })
    await openDetails('ada@example.com')
    expect(await screen.findByText('As ada@example.com · Whatever it is called with · Until you end it')).toBeTruthy()
    expect(screen.getByText('Some Gmail accounts · Whatever it is called with · Until you end it')).toBeTruthy()
    expect(lineOf('ada@example.com')).toBe('Ask before changes · 2 exceptions')
    expect(lineOf('team@example.org')).toBe('Ask before changes')
  })

  test('an exception that the person ends leaves the focus to the next one, and the last one to its details', async () => {
    const other = { tool: tools.deleteDraft.name, version: '1' }
    const no = rule('c', { subject: { tool: tools.listMessages.name, version: '1' }, decision: 'never' })
    showAccess({ rules: withRules([rule('a'), rule('b', { subject: other, decision: 'ask' }), no]) })
    await openDetails('ada@example.com')
    const focused = () => document.activeElement?.getAttribute('aria-label')
    await userEvent.click(await screen.findByRole('button', { name: 'End: Send a message' }))
    await waitFor(() => expect(focused()).toBe('End: Delete a draft'))
    await userEvent.click(screen.getByRole('button', { name: 'End: List messages' }))
    await waitFor(() => expect(focused()).toBe('End: Delete a draft'))
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(focused()).toBe('Details: ada@example.com'))
    expect(screen.queryByRole('button', { name: /^End:/ })).toBeNull()
  })

  test('a choice for a tool is for the version that the person sees', async () => {
    const { oversight } = showAccess({ rules: withRules([]) })
    const change = vi.spyOn(oversight, 'change')
    await openDetails('ada@example.com')
    const group = within(await screen.findByRole('radiogroup', { name: 'Send a message' }))
    await userEvent.click(group.getByRole('radio', { name: 'Allow' }))
    expect(change).toHaveBeenCalledExactlyOnceWith({
      ...{ agent: 'assistant', of: { account }, tool: 'gmail/send_message', version: '1', effect: 'write' },
      decision: 'allow',
    })
    await waitFor(() => expect(lineOf('ada@example.com')).toBe('Ask before changes · Send a message: always allowed'))
  })

  test('a provider without an account has a preset to choose, which its first account has from the start', async () => {
    const { oversight } = showAccess({ rules: withRules([]), client: { accounts: accounts.slice(0, 1) } })
    const change = vi.spyOn(oversight, 'change')
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: Gmail' }))
    expect(lineOf('Gmail')).toBe('Not connected · Ask before changes')
    expect(screen.getByText('Holds for each Gmail account from when you connect it.')).toBeTruthy()
    expect(screen.queryByRole('button', { name: /^Details/ })).toBeNull()
    await userEvent.click(screen.getByRole('radio', { name: 'Read only' }))
    await waitFor(() => expect(lineOf('Gmail')).toBe('Not connected · Read only'))
    expect(change).toHaveBeenCalledExactlyOnceWith({
      agent: 'assistant',
      of: { provider: 'gmail' },
      preset: 'read-only',
    })
    expect(await screen.findByRole('list', { name: 'Allows less' })).toBeTruthy()
  })

  test('only providers that the agent has tools for, and that the app gives it, are shown without an account', async () => {
    const rules = withRules([])
    const { Page } = fakePage({ rules, client: { accounts: [] } })
    const view = render(
      <Page>
        <AgentAccess agent="mail" />
      </Page>,
    )
    await screen.findByRole('button', { name: 'Edit: Gmail' })
    expect(screen.queryByRole('button', { name: 'Edit: GitHub' })).toBeNull()
    view.unmount()
    const plain = fakePage({
      rules,
      client: { accounts: [] },
      agents: [{ id: 'mail', name: 'Mail helper', tools: [] }],
    })
    render(
      <plain.Page>
        <AgentAccess agent="mail" />
      </plain.Page>,
    )
    expect(await screen.findByText('No account is connected yet.')).toBeTruthy()
  })

  test('what is not used in chat says so, in its row, its details and a list of an app, until it is used', async () => {
    const { client, Page } = fakePage({ rules: withRules([], { [account]: 'read-only' }) })
    const Mine = () => {
      const wordsOf = useAccessWords('assistant')
      const unknown = useAccessWords('nobody')
      return (
        <p data-testid="mine">{JSON.stringify([wordsOf?.(accounts.find(({ id }) => id === account)!), unknown])}</p>
      )
    }
    render(
      <Page>
        <AgentAccess agent="assistant" />
        <Mine />
      </Page>,
    )
    const mine = () => JSON.parse(screen.getByTestId('mine').textContent ?? '')
    act(() => client.setIncluded('assistant', 'gmail', false))
    await openDetails('ada@example.com')
    expect(lineOf('ada@example.com')).toBe('Not used in chat · Read only')
    expect(await screen.findByText('Not used in chat: nothing is used until you switch it on.')).toBeTruthy()
    expect(mine()).toEqual([{ off: 'Not used in chat', preset: 'Read only' }, null])
    expect(lineOf('octocat')).toBe('Ask before changes')
    act(() => client.setIncluded('assistant', 'gmail', true))
    expect(lineOf('ada@example.com')).toBe('Read only')
    expect(mine()).toEqual([{ preset: 'Read only' }, null])
  })

  test('what is off has no exceptions to tell of, and has them again afterwards', async () => {
    showAccess({ rules: withRules([rule('a')], { [account]: 'off' }) })
    await screen.findByRole('button', { name: 'Edit: ada@example.com' })
    expect(lineOf('ada@example.com')).toBe('Off')
    await userEvent.click(screen.getByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Trusted' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Switch to Trusted' }))
    await waitFor(() => expect(lineOf('ada@example.com')).toBe('Trusted · Send a message: always allowed'))
  })

  /** What a list of a preview says. */
  const said = (name: string) =>
    within(screen.getByRole('list', { name }))
      .getAllByRole('listitem')
      .map(({ textContent }) => textContent)

  test('a preview goes with the rules that change beside it, before its preset holds and after', async () => {
    showAccess({ rules: withRules([]) })
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: octocat' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Off' }))
    await waitFor(() => expect(lineOf('octocat')).toBe('Off'))
    await userEvent.click(screen.getByRole('radio', { name: 'Ask before changes' }))
    const list = ['List repositoriesAllowedBefore: Never']
    await waitFor(() => expect(said('Allows more')).toEqual([...list, 'Create an issueAsksBefore: Never']))
    await userEvent.click(screen.getByRole('button', { name: 'Details: octocat' }))
    const group = within(await screen.findByRole('radiogroup', { name: 'Create an issue' }))
    await userEvent.click(group.getByRole('radio', { name: 'Allow' }))
    await waitFor(() => expect(said('Allows more')).toEqual([...list, 'Create an issueAllowedBefore: Never']))
    await userEvent.click(screen.getByRole('button', { name: 'Switch to Ask before changes' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Everything it can do now' }))
    expect(said('Allows more')).toEqual([...list, 'Create an issueAllowedBefore: Never'])
    expect(said('Changes')).toEqual(['Create an issue'])
    await userEvent.click(await screen.findByRole('button', { name: 'End: Create an issue' }))
    await waitFor(() => expect(said('Allows more')).toEqual([...list, 'Create an issueAsksBefore: Never']))
    expect(said('Changes')).toEqual(['Create an issueAsks first'])
  })

  test('a stricter preset that ends exceptions says which, and holds after a second click', async () => {
    const { oversight } = showAccess({ rules: withRules([rule('a')]) })
    const change = vi.spyOn(oversight, 'change')
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: ada@example.com' }))
    screen.getByRole('radio', { name: 'Ask before changes' }).focus()
    await userEvent.keyboard('{ArrowUp}')
    await waitFor(() => expect(said('Ends')).toEqual(['Send a message: always allowed']))
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    expect(lineOf('ada@example.com')).toBe('Ask before changes · Send a message: always allowed')
    expect(document.activeElement).toBe(screen.getByRole('radio', { name: 'Ask before changes' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Read only' }))
    expect(change).not.toHaveBeenCalled()
    await userEvent.click(await screen.findByRole('button', { name: 'Switch to Read only' }))
    await waitFor(() => expect(lineOf('ada@example.com')).toBe('Read only'))
    expect(said('Ends')).toEqual(['Send a message: always allowed'])
    expect(screen.queryByRole('button', { name: /^Switch to/ })).toBeNull()
  })

  test('a preset that waits for its second click says so, comes into view, and is dropped with its row', async () => {
    const seen = vi.fn<(options: unknown) => void>()
    Element.prototype.scrollIntoView = seen
    onTestFinished(() => void Reflect.deleteProperty(Element.prototype, 'scrollIntoView'))
    showAccess({ rules: withRules([]) })
    const edit = await screen.findByRole('button', { name: 'Edit: octocat' })
    await userEvent.click(edit)
    const trusted = screen.getByRole('radio', { name: 'Trusted' })
    await userEvent.click(trusted)
    const notYet = await screen.findByText('Not switched yet')
    expect(trusted.getAttribute('aria-describedby')?.split(' ')).toContain(notYet.id)
    expect(seen.mock.contexts).toEqual([notYet.closest('.latchkey-picked')])
    expect(seen).toHaveBeenCalledExactlyOnceWith({ block: 'nearest' })
    await userEvent.click(edit)
    await userEvent.click(edit)
    expect(screen.queryByText('Not switched yet')).toBeNull()
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'Ask before changes' }).checked).toBe(true)
    await userEvent.click(screen.getByRole('radio', { name: 'Trusted' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Switch to Trusted' }))
    await waitFor(() => expect(lineOf('octocat')).toBe('Trusted'))
    expect(screen.queryByText('Not switched yet')).toBeNull()
  })

  test('a request that waits ends with the choice that forbids it, and its card says why', async () => {
    const request = fakeRequest({ agent: 'assistant' })
    const { Page } = fakePage({ rules: withRules([]), requests: [request] })
    render(
      <Page>
        <AgentAccess agent="assistant" />
        <RequestCard request={request} />
      </Page>,
    )
    const card = within(await screen.findByRole('article'))
    expect(await card.findByRole('button', { name: 'Allow' })).toBeTruthy()
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Read only' }))
    expect(await card.findByText("Your rules don't allow this any more, so nothing is done.")).toBeTruthy()
    expect(card.getByText('Not allowed')).toBeTruthy()
    expect(card.queryByRole('button', { name: 'Allow' })).toBeNull()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  test.each<[string, Partial<PersonRules>, string, string | undefined]>([
    [
      'off',
      withRules([rule('a')], { [account]: 'off' }),
      'Off: nothing is used until you choose another preset.',
      undefined,
    ],
    [
      'stopped',
      { ...withRules([rule('a')]), stopped: { agents: {}, accounts: {}, everything: 1 } },
      'Stopped: nothing is used until you start it again.',
      'Allow',
    ],
  ])(
    'what the person chose for a tool is shown while it is %s, and that nothing is used',
    async (_, some, why, read) => {
      showAccess({ rules: { ...withRules([]), ...some } })
      await openDetails('ada@example.com')
      expect(await screen.findByText(why)).toBeTruthy()
      const chosen = (name: string) =>
        within(screen.getByRole('radiogroup', { name })).queryByRole('radio', { checked: true })?.closest('label')
          ?.textContent
      expect(chosen('Send a message')).toBe('Allow')
      expect(chosen('List messages')).toBe(read)
      expect(screen.getAllByText('Never', { selector: '.latchkey-status' })).toHaveLength(3)
    },
  )

  test('a stricter preset that ends nothing holds at once, and so does a pause, which keeps exceptions', async () => {
    showAccess({ rules: withRules([rule('a')]) })
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: team@example.org' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Read only' }))
    await waitFor(() => expect(lineOf('team@example.org')).toBe('Read only'))
    await userEvent.click(screen.getByRole('button', { name: 'Edit: team@example.org' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(screen.getByRole('radio', { name: 'Off' }))
    await waitFor(() => expect(lineOf('ada@example.com')).toBe('Off'))
  })

  test('a helper is limited by its parent, from the side of the account too', async () => {
    const { Page } = fakePage()
    render(
      <Page>
        <AccountAccess account="gmail.team@example.org" />
      </Page>,
    )
    await openDetails('Mail helper')
    const send = (await screen.findByRole('radiogroup', { name: 'Send a message' })).closest('li')!
    expect(within(send).getByText('Never', { selector: '.latchkey-status' })).toBeTruthy()
    expect(within(send).getByText('Limited by Assistant')).toBeTruthy()
  })

  test('what is stopped says so on every row, and its tools are never called', async () => {
    const { Page } = fakePage({ rules: { ...fakeRules(), stopped: { agents: { assistant: 1 }, accounts: {} } } })
    render(
      <Page>
        <AccountAccess account="gmail.ada@example.com" />
      </Page>,
    )
    await screen.findByText('Stopped with Assistant · Ask before changes')
    const send = 'Send a message: allowed, ends in 40 minutes, in some cases'
    expect(lineOf('Assistant')).toBe(`Stopped · Ask before changes · ${send}`)
    // A helper stops with its parent.
    expect(lineOf('Mail helper')).toBe('Stopped with Assistant · Ask before changes')
    await userEvent.click(screen.getByRole('button', { name: 'Edit: Mail helper' }))
    await userEvent.click(screen.getByRole('button', { name: 'Details: Mail helper' }))
    await waitFor(() => expect(screen.getAllByText('Never', { selector: '.latchkey-status' })).toHaveLength(3))
  })

  test('an agent has only the accounts that the app gives it', async () => {
    showAccess({}, 'mail')
    expect(await screen.findByRole('button', { name: 'Edit: ada@example.com' })).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Edit: octocat' })).toBeNull()
    expect(screen.getByText('Helper of Assistant')).toBeTruthy()
  })
})

describe('activity', () => {
  test('case 209: no cell of the CSV is a formula', () => {
    const [use] = fakeUses(1)
    const cells = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', 'a "b", c', 'plain']
    const csv = csvHeading + csvRows(cells.map((tool) => ({ ...use!, tool })))
    expect(csv.split('\r\n')[0]).toBe(
      'at,agent,tool,provider,account,accountLabel,route,host,effect,decision,rule,preset,lease,until,outcome,answer,' +
        'reason,edited,use,request,action',
    )
    for (const label of ['=1+1', '\t=1', '\n=1', '-1']) {
      const row = csvRows(savedUses([use!], new Map([[use!.account!, label]]), new Map()))
      expect(row).not.toMatch(/(^|[,\t\n])"?[=+\-@]/)
      expect(row.trim()).not.toMatch(/[\r\n\t]/)
    }
    for (const written of ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", `"'\r=1"`, '"a ""b"", c"', 'plain'])
      expect(csv).toContain(`,${written},`)
    expect(csv).not.toMatch(/(^|,|\r\n)"?[=+\-@\t\r]/)
    expect(toLines([use!])).toBe(`${JSON.stringify(use)}\n`)
  })

  test('says that a leak was blocked', async () => {
    const leak = { seq: 1, at: '2026-03-14T09:30:00Z', action: 'leak', agent: 'mail', outcome: 'denied' } as const
    const { Page } = fakePage({ uses: [leak] })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    expect((await screen.findByRole('listitem')).textContent).toMatch(/Blocked a leak.*Mail helper.*Blocked/)
  })

  test('pages, and a filter', async () => {
    const { Page, oversight } = fakePage({ uses: fakeUses(130) })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    await waitFor(() => expect(screen.getAllByRole('listitem')).toHaveLength(20))
    await userEvent.click(screen.getByRole('button', { name: 'Show more' }))
    await waitFor(() => expect(screen.getAllByRole('listitem')).toHaveLength(40))
    const asked = vi.spyOn(oversight, 'activity')
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Agent' }), 'Mail helper')
    await waitFor(() => expect(asked).toHaveBeenCalledWith({ limit: 20, agent: 'mail' }))
  })

  /** Shows uses, and catches the files that are saved. */
  async function showExport(uses: readonly Use[]) {
    const page = fakePage({ uses })
    const saved: Blob[] = []
    class Addresses extends URL {
      static override createObjectURL = (blob: Blob) => `blob:${saved.push(blob)}`
      static override revokeObjectURL = () => {}
    }
    vi.stubGlobal('URL', Addresses)
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {})
    render(
      <page.Page>
        <Activity />
      </page.Page>,
    )
    const save = await screen.findByRole('button', { name: 'Export JSON lines' })
    return { ...page, saved, save }
  }
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  test('an export has all uses, however many, with their codes, and says how many', async () => {
    const { saved, save, oversight } = await showExport(fakeUses(12_345))
    const asked = vi.spyOn(oversight, 'activity')
    await userEvent.click(save)
    expect(await screen.findByText('All 12,345 entries exported')).toBeTruthy()
    const lines = (await saved[0]!.text()).trim().split('\n')
    expect(lines).toHaveLength(12_345)
    const [first] = fakeUses(12_345)
    const label = accounts.find(({ id }) => id === first!.account)?.label
    expect(label).toBeTruthy()
    expect(JSON.parse(lines[0]!)).toEqual({ ...first, accountLabel: label })
    expect(lines.filter((line) => line.includes('access_denied')).length).toBeGreaterThan(1000)
    expect(asked).toHaveBeenCalledTimes(124)
  })

  test('an export that fails saves nothing and says so, and one that is cancelled ends', async () => {
    const { saved, save, oversight } = await showExport(fakeUses(300))
    const list = oversight.activity
    let fail = (_: Error) => {}
    const asked = vi
      .spyOn(oversight, 'activity')
      .mockImplementation((page) =>
        page?.before === undefined ? list(page) : new Promise((_, failed) => (fail = failed)),
      )
    await userEvent.click(save)
    expect(await screen.findByText('100 so far…')).toBeTruthy()
    act(() => fail(new LatchkeyError('network', 'away')))
    expect((await screen.findByRole('alert')).textContent).toContain("couldn't be reached")
    await userEvent.click(screen.getByRole('button', { name: 'Export CSV' }))
    expect(await screen.findByText('100 so far…')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    expect(screen.queryByText('100 so far…')).toBeNull()
    asked.mockClear()
    act(() => fail(new LatchkeyError('network', 'away')))
    expect(screen.queryByRole('alert')).toBeNull()
    expect(asked).not.toHaveBeenCalled()
    expect(saved).toEqual([])
  })

  test('tools have their titles, and reasons are words', async () => {
    const use = { at: '2026-03-14T09:30:00Z', agent: 'mail', outcome: 'allowed', action: 'use' } as const
    const { Page } = fakePage({
      uses: [
        { ...use, seq: 9, tool: 'gmail/send_message', outcome: 'denied', reason: 'denied' },
        { ...use, seq: 8, tool: 'notes/list_notes', outcome: 'failed', reason: 'x_new' },
        { ...use, seq: 7, tool: 'gmail/send_message', action: 'ask', outcome: 'denied' },
        { ...use, seq: 6, tool: 'gmail/send_message', action: 'answer', outcome: 'denied' },
        { ...use, seq: 5, tool: 'gmail/send_message', action: 'rule' },
        { ...use, seq: 4, action: 'stop' },
        { ...use, seq: 3, action: 'constructor' },
      ],
    })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    const rows = (await screen.findAllByRole('listitem')).map(({ textContent }) => textContent)
    for (const [at, said] of [
      /^Send a messageMail helperBlockedYou said no/,
      /^List notesMail helperFailedSomething went wrong/,
      /^Send a messageMail helperAsked you/,
      /^Send a messageMail helperNot allowed/,
      /^Send a messageYou set what is allowed · Mail helperMar/,
      /^You stoppedMail helperMar/,
      /^constructorMail helperDone/,
    ].entries())
      expect(rows[at]).toMatch(said)
    expect(['notes/list_notes', 'a/api.GET', 'getIssueById', 'x/__', ''].map(plainName)).toEqual([
      'List notes',
      'Api GET',
      'Get issue by id',
      'x/__',
      '',
    ])
  })

  test.each([
    [
      { ok: true, entries: 3, since: '2026-01-02T12:00:00Z' },
      /^3 entries, all as they were written\. The first: January 2, 2026 at \d/,
    ],
    [
      { ok: false, entries: 1, since: '2026-01-02T12:00:00Z', until: '2026-01-02T12:00:00Z' },
      /^Part of the log was changed after it was written\. Your 1 entry before the change is intact\. The last of them: January 2, 2026 at \d/,
    ],
    [
      { ok: true, entries: 1, since: new Date().toISOString() },
      /^1 entry, as it was written\. The first: today at \d{1,2}:\d\d\s[AP]M\.$/,
    ],
  ])('says what a check of the log found: %j', async (verdict, said) => {
    const { Page } = fakePage({ verdict, messages: { ...english, locale: 'en-US' } })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    await userEvent.click(await screen.findByRole('button', { name: 'Check the log' }))
    expect((await screen.findByText(said)).closest('[role=status]')).toBeTruthy()
  })

  const use = { at: '2026-03-14T09:30:00Z', agent: 'mail', tool: 'gmail/send_message', effect: 'write' } as const
  const done: Use = { ...use, seq: 1, action: 'use', outcome: 'allowed', use: 'u1' }
  const end = (reason: string): Use => ({ ...use, seq: 2, action: 'end', outcome: 'failed', use: 'u1', reason })

  test.each<[reason: string, effect: 'read' | 'write', said: RegExp]>([
    ['http_404', 'write', /helperFailedNot found \(404\)Mar/],
    ['http_403', 'write', /helperFailedThe service refused it \(403\)Mar/],
    ['http_422', 'write', /helperFailedThe service didn't accept it \(422\)Mar/],
    ['http_429', 'write', /helperFailedThe service had too many requests \(429\)Mar/],
    ['http_502', 'write', /helperFailedThe service had a fault \(502\)May have happenedMar/],
    ['http_502', 'read', /helperFailedThe service had a fault \(502\)Mar/],
    ['http_9x9', 'write', /helperFailedSomething went wrongMar/],
    ['tool_error', 'write', /helperFailedThe tool ended with an errorMar/],
    ['unsent', 'write', /helperFailedNothing was sentMar/],
    ['cancelled', 'read', /helperStoppedMar/],
    ['cut', 'write', /helperStoppedMay have happenedMar/],
    ['unknown', 'write', /helperMay have happenedHow it ended isn't knownMar/],
  ])('a use that did not end well is one row, which says how it ended: %s', async (reason, effect, said) => {
    const { Page } = fakePage({
      uses: [
        { ...end(reason), effect },
        { ...done, effect },
      ],
    })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    const rows = await screen.findAllByRole('listitem')
    expect(rows.map(({ textContent }) => textContent)).toEqual([expect.stringMatching(said)])
  })

  test('an end and its use may be on two pages, on the screen and in a file', async () => {
    const between = fakeUses(150).map((one) => ({ ...one, seq: one.seq + 1 }))
    const { save, saved } = await showExport([{ ...end('http_404'), seq: 200 }, ...between, done])
    expect(screen.getAllByRole('listitem')[0]?.textContent).toContain('Not found (404)')
    await userEvent.click(save)
    expect(await screen.findByText('All 151 entries exported')).toBeTruthy()
    const lines = (await saved[0]!.text()).trim().split('\n')
    expect(JSON.parse(lines.at(-1)!)).toEqual({ ...done, outcome: 'failed', reason: 'http_404' })
    expect(lines.filter((line) => line.includes('http_404'))).toHaveLength(1)
  })

  test('a question is saved as one, with its answer, and an account with what it is called, if it is still there', async () => {
    const question = { ...use, action: 'ask', outcome: 'denied' } as const
    const answered = { ...use, action: 'answer' } as const
    const between = fakeUses(150).map((one) => ({ ...one, seq: one.seq + 10 }))
    const { save, saved } = await showExport([
      { ...answered, seq: 301, request: 'r1', outcome: 'allowed' },
      { ...answered, seq: 300, request: 'r2', outcome: 'failed', reason: 'not_confirmed' },
      ...between,
      { ...answered, seq: 4, request: 'r3', outcome: 'denied' },
      { ...question, seq: 3, request: 'r3', account: 'gmail.gone' },
      { ...question, seq: 2, request: 'r2', account: 'gmail.ada@example.com' },
      { ...question, seq: 1, request: 'r1', account: 'gmail.ada@example.com' },
    ])
    await userEvent.click(save)
    expect(await screen.findByText('All 156 entries exported')).toBeTruthy()
    const lines = (await saved[0]!.text()).trim().split('\n')
    const asked = lines.slice(-3).map((line) => JSON.parse(line))
    expect(asked.map(({ outcome, answer, accountLabel }) => [outcome, answer, accountLabel])).toEqual([
      ['asked', 'denied', undefined],
      ['asked', undefined, 'ada@example.com'],
      ['asked', 'allowed', 'ada@example.com'],
    ])
    await userEvent.click(screen.getByRole('button', { name: 'Export CSV' }))
    await waitFor(() => expect(saved).toHaveLength(2))
    expect((await saved[1]!.text()).trim().split('\r\n').at(-1)).toContain(
      'gmail.ada@example.com,ada@example.com,,,write,,,,,,asked,allowed,',
    )
  })

  test('says what decided, and what the person edited', async () => {
    const asked = { request: 'r1', rule: 'preset:ask-before-changes' }
    const denied = { ...use, action: 'deny', outcome: 'denied', reason: 'access_denied' } as const
    const { Page } = fakePage({
      uses: [
        { ...done, ...asked, seq: 12, edited: 'subject, body' },
        { ...use, ...asked, seq: 11, action: 'answer', outcome: 'allowed', lease: 'once', edited: 'subject' },
        { ...use, ...asked, seq: 10, action: 'ask', outcome: 'denied' },
        { ...done, seq: 9, use: 'u9', rule: 'preset:trusted' },
        { ...done, seq: 8, use: 'u8', rule: 'rule:e9' },
        { ...denied, seq: 7, rule: 'preset:read-only' },
        { ...denied, seq: 6, rule: 'stopped:agent' },
        { ...denied, seq: 5, rule: 'paused' },
        { ...denied, ...asked, seq: 4, reason: 'denied' },
        { ...use, seq: 3, action: 'ask', outcome: 'denied', rule: 'unknown:version' },
        { ...denied, seq: 2, rule: 'new:word' },
        { ...denied, seq: 1, rule: 'preset:constructor' },
      ],
    })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    const rows = (await screen.findAllByRole('listitem')).map(({ textContent }) => textContent)
    for (const [at, said] of [
      /helperDoneYou said yesYou edited: subject, bodyMar/,
      /helperAllowedJust this onceYou edited: subjectMar/,
      /helperAsked youPreset: Ask before changesMar/,
      /helperDonePreset: TrustedMar/,
      /helperDoneYour exceptionMar/,
      /helperBlockedPreset: Read onlyMar/,
      /helperBlockedIt was stoppedMar/,
      /helperBlockedThe account was pausedMar/,
      /helperBlockedYou said noMar/,
      /helperAsked youThis tool was updatedMar/,
      /helperBlockedIt wasn't allowedMar/,
      /helperBlockedPreset: constructorMar/,
    ].entries())
      expect(rows[at]).toMatch(said)
    expect(rows.flatMap((row, at) => (row?.endsWith('Details') ? [at] : []))).toEqual([0, 1, 2, 4, 8])
  })

  test('details have the call as its person allowed it, and the exception that decided', async () => {
    const rules = fakeRules()
    const of = { account: 'gmail.ada@example.com' }
    const rule = { id: 'e9', of, subject: { tool: tools.sendMessage.name, version: '1' }, decision: 'allow' } as const
    const helper = { accounts: {}, providers: {}, rules: [rule, { ...rule, id: 'e8', until: 5 }] }
    const { Page, oversight } = fakePage({
      rules: { ...rules, agents: { ...rules.agents, mail: helper } },
      requests: [fakeRequest({ state: 'approved', edited: { subject: 'Minutes' } })],
      uses: [
        { ...done, seq: 4, use: 'u4', request: 'r1' },
        { ...done, seq: 3, use: 'u3', request: 'gone' },
        { ...done, seq: 2, use: 'u2', rule: 'rule:e9' },
        { ...done, seq: 1, use: 'u1', rule: 'rule:e8' },
      ],
    })
    const asked = vi.spyOn(oversight, 'request')
    render(
      <Page>
        <Activity />
      </Page>,
    )
    const rows = await screen.findAllByRole('listitem')
    expect(asked).not.toHaveBeenCalled()
    for (const row of rows) await userEvent.click(within(row).getByRole('button', { name: 'Details: Send a message' }))
    const [called, gone, decided, ended] = rows as [HTMLElement, HTMLElement, HTMLElement, HTMLElement]
    const subject = (await within(called).findByText('Minutes')).closest('div')
    expect(subject?.textContent).toBe('subjectEdited by youMinutes')
    expect(called.textContent).toContain('tograce@example.com')
    expect(await within(gone).findByText("What it was called with isn't kept any more.")).toBeTruthy()
    await waitFor(() => expect(decided.textContent).toContain('Send a message: always allowed'))
    expect(await within(ended).findByText('That exception has ended since.')).toBeTruthy()
    expect(asked.mock.calls.map(([id]) => id).sort()).toEqual(['gone', 'r1'])
  })

  test('a check says up to where it went, and that what came after it is not checked', async () => {
    const at = (minute: number) => `2026-03-14T09:0${minute}:00Z`
    const told: ((news: ActivityNews) => void)[] = []
    const { Page } = fakePage({
      messages: { ...english, locale: 'en-US' },
      uses: [{ ...done, at: at(1) }],
      follow: (tell) => void told.push(tell),
    })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    await userEvent.click(await screen.findByRole('button', { name: 'Check the log' }))
    const result = await screen.findByText(/^1 entry, as it was written\. The first: .*\. The last: .*2026 at \d/)
    expect(result.textContent).not.toContain('checked')
    await act(async () => told.at(-1)?.({ type: 'use', use: { ...done, seq: 5, use: 'u5', at: at(2) } }))
    await waitFor(() => expect(screen.getAllByRole('listitem')).toHaveLength(2))
    expect(result.textContent).toMatch(/What came after that isn't checked\.$/)
  })

  test('a change says what is allowed from then on, and a call where it went', async () => {
    const about = { at: use.at, agent: 'mail', outcome: 'allowed' } as const
    const account = { account: 'gmail.ada@example.com' }
    const rule = { ...about, action: 'rule', tool: use.tool }
    const { Page } = fakePage({
      uses: [
        { ...about, ...account, seq: 9, action: 'rule', preset: 'trusted' },
        { ...rule, ...account, seq: 8, decision: 'allow', lease: 'always' },
        { ...rule, ...account, seq: 7, decision: 'never', until: '2026-03-14T12:30:00Z' },
        { ...rule, provider: 'gmail', seq: 6, decision: 'ask', lease: 'ended' },
        { ...rule, action: 'answer', seq: 5, lease: 'chat' },
        { ...about, seq: 4, action: 'stop', agent: undefined as never },
        { ...done, seq: 3, provider: 'gmail', host: 'https://gmail.googleapis.com' },
        { ...done, seq: 2, provider: 'gmail', host: 'http://127.0.0.1:1234', route: '/messages/{id}', use: 'u2' },
      ],
    })
    render(
      <Page>
        <Activity />
      </Page>,
    )
    const rows = (await screen.findAllByRole('listitem')).map(({ textContent }) => textContent)
    for (const [at, said] of [
      /^You set what is allowedMail helper · ada@example\.comTrustedMar/,
      /^Send a messageYou set what is allowed · Mail helper · ada@example\.comAllowAlwaysMar/,
      /^Send a messageYou set what is allowed · Mail helper · ada@example\.comNeverUntil .*2026/,
      /^Send a messageYou set what is allowed · Mail helper · All Gmail accountsEndedAskMar/,
      /^Send a messageMail helperAllowedIn this chatMar/,
      /^You stoppedEverythingMar/,
      /^Send a messageMail helperDoneMar/,
      /^Send a messageMail helper · 127\.0\.0\.1:1234\/messages\/\{id\}DoneMar/,
    ].entries())
      expect(rows[at]).toMatch(said)
  })

  test('a check that nobody waits for is ended, and without a log there is none to check', async () => {
    const { Page, oversight } = fakePage({ pending: ['verify'] })
    const verify = vi.spyOn(oversight as Required<typeof oversight>, 'verify')
    const { unmount } = render(
      <Page>
        <Activity />
      </Page>,
    )
    await userEvent.dblClick(await screen.findByRole('button', { name: 'Check the log' }))
    expect(verify).toHaveBeenCalledOnce()
    expect(screen.getByText('Checking the log…')).toBeTruthy()
    unmount()
    expect(verify.mock.calls[0]![0]?.signal?.aborted).toBe(true)
    const { verify: _, ...without } = fakePage().oversight
    render(
      <Page>
        <OversightProvider oversight={without}>
          <Activity />
        </OversightProvider>
      </Page>,
    )
    await screen.findByRole('button', { name: 'Export CSV' })
    expect(screen.queryByRole('button', { name: 'Check the log' })).toBeNull()
  })
})

describe('what is new', () => {
  /** Somebody who can be told, and how often they listened. */
  function teller() {
    const followed: { tell: (news: ActivityNews) => void; signal: AbortSignal }[] = []
    const follow = (tell: (news: ActivityNews) => void, signal: AbortSignal) => void followed.push({ tell, signal })
    return { followed, follow, tell: (news: ActivityNews) => act(async () => followed.at(-1)?.tell(news)) }
  }
  const show = (isVisible: boolean) => {
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(isVisible ? 'visible' : 'hidden')
    act(() => void document.dispatchEvent(new Event('visibilitychange')))
  }
  const [first] = fakeUses(1)
  const next = (change: Partial<Use>): Use => ({ ...first!, seq: 99, at: new Date().toISOString(), ...change })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test('comes to the lists that it belongs to, once, over one connection', async () => {
    const { follow, followed, tell } = teller()
    const { Page, oversight } = fakePage({ uses: fakeUses(3), follow })
    render(
      <Page>
        <Activity />
        <Activity agent="assistant" />
      </Page>,
    )
    const count = () => screen.getAllByRole('list').map((list) => within(list).getAllByRole('listitem').length)
    await waitFor(() => expect(count()).toEqual([3, 1]))
    const asked = vi.spyOn(oversight, 'activity')
    await tell({ type: 'following', resumed: false })
    await waitFor(() => expect(asked).toHaveBeenCalledTimes(2))
    await tell({ type: 'use', use: next({ agent: 'mail' }) })
    await tell({ type: 'use', use: next({ agent: 'mail' }) })
    await waitFor(() => expect(count()).toEqual([4, 1]))
    await tell({ type: 'use', use: next({ agent: 'assistant', seq: 100 }) })
    await waitFor(() => expect(count()).toEqual([5, 2]))
    expect(followed).toHaveLength(1)
    expect(asked).toHaveBeenCalledTimes(2)
  })

  test('is asked for while nobody tells, and not at all while the tab is hidden', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true })
    const { follow, followed, tell } = teller()
    const { Page, oversight } = fakePage({ uses: fakeUses(3), follow })
    const { unmount } = render(
      <Page>
        <Activity />
      </Page>,
    )
    await screen.findAllByRole('listitem')
    const asked = vi.spyOn(oversight, 'activity')
    const during = async (milliseconds: number) => {
      asked.mockClear()
      await act(async () => vi.advanceTimersByTimeAsync(milliseconds))
      return asked.mock.calls.length
    }
    expect(await during(10_000)).toBe(3)
    await tell({ type: 'following', resumed: true })
    expect(await during(60_000)).toBe(0)
    await tell({ type: 'lost' })
    expect(await during(10_000)).toBe(3)
    await tell({ type: 'following', resumed: true })
    show(false)
    expect(followed[0]?.signal.aborted).toBe(true)
    show(true)
    expect(followed).toHaveLength(2)
    unmount()
    expect(followed[1]?.signal.aborted).toBe(true)
  })

  test('says that what waits has changed, and what was used just now', async () => {
    const { follow, tell } = teller()
    const used = { account: accounts[0]!.id, agent: 'assistant' }
    const lastUses = { uses: [{ ...used, tool: 'github/list_repos', at: Date.now() - 5 * 60_000 }] }
    const { Page, oversight } = fakePage({ follow, lastUses })
    render(
      <Page>
        <Activity />
        <AgentAccess agent="assistant" />
        <RequestsInbox />
      </Page>,
    )
    expect(await screen.findByText(/Used 5 minutes ago/)).toBeTruthy()
    await tell({ type: 'following', resumed: true })
    const requests = vi.spyOn(oversight, 'requests')
    await tell({ type: 'requests' })
    await waitFor(() => expect(requests).toHaveBeenCalledOnce())
    await tell({ type: 'use', use: next({ ...used, tool: 'github/create_issue' }) })
    expect(await screen.findByText(/Used now/)).toBeTruthy()
  })
})

test('advice asks for less with one click', async () => {
  const days = (count: number) => Date.now() - count * 24 * 3600_000
  const [account] = accounts
  const scoped = (one: AgentTool, scopes: string[]): AgentTool => ({ ...one, scopes })
  const [keep, drop] = account!.scopes as [string, string]
  const { Page, client } = fakePage({
    agents: [{ id: 'a', name: 'A', tools: [scoped(tools.listRepos, [keep]), scoped(tools.createIssue, [drop])] }],
    lastUses: {
      uses: [{ account: account!.id, agent: 'a', tool: tools.listRepos.name, at: days(1) }],
      since: days(40),
    },
    messages: { providers: { github: { scopes: { [drop]: 'See your address' } } } },
  })
  const connect = vi.spyOn(client, 'connect')
  render(
    <Page>
      <AccountAccess account={account!.id} />
    </Page>,
  )
  expect(await screen.findByText('Not used for 30 days: See your address')).toBeTruthy()
  await userEvent.click(screen.getByRole('button', { name: 'Ask for less' }))
  const rest = account!.scopes.filter((scope) => scope !== drop)
  expect(connect).toHaveBeenCalledExactlyOnceWith('github', { scopes: rest, only: true, accountId: account!.id })
})

test('stopping says what it did, and the focus is on what starts again', async () => {
  const underWay = [{ agent: 'mail', account: accounts[1]!.id, tool: 'gmail/send_message', effect: 'write' }] as const
  const { Page, oversight } = fakePage({ underWay })
  render(
    <Page>
      <StopButton target={{ agent: 'mail' }} />
    </Page>,
  )
  await userEvent.click(await screen.findByRole('button', { name: 'Stop Mail helper' }))
  const dialog = within(await screen.findByRole('dialog', { name: 'Stop Mail helper?' }))
  const stop = vi.spyOn(oversight, 'stop')
  await userEvent.click(dialog.getByRole('button', { name: 'Stop' }))
  const receipt = within(await screen.findByRole('dialog', { name: 'Mail helper is stopped' }))
  expect(stop).toHaveBeenCalledExactlyOnceWith({ agent: 'mail' })
  expect(receipt.getByText('1 request was denied.')).toBeTruthy()
  expect(receipt.getByText('May have happened')).toBeTruthy()
  await userEvent.keyboard('{Enter}')
  const again = await screen.findByRole('button', { name: 'Start again: Mail helper' })
  await waitFor(() => expect(document.activeElement).toBe(again))
  await userEvent.click(again)
  const stopAgain = await screen.findByRole('button', { name: 'Stop Mail helper' })
  await waitFor(() => expect(document.activeElement).toBe(stopAgain))
  expect(screen.getByRole('status').textContent).toBe('Mail helper is started again.')
})

test('the dialog says all that a stop does, and what stops with an agent; so does the receipt', async () => {
  const { Page } = fakePage()
  render(
    <Page>
      <StopButton target={{ agent: 'assistant' }} />
    </Page>,
  )
  await userEvent.click(await screen.findByRole('button', { name: 'Stop Assistant' }))
  const dialog = within(await screen.findByRole('dialog', { name: 'Stop Assistant?' }))
  expect(dialog.getByText("Assistant can't use any account until you start it again.")).toBeTruthy()
  expect(dialog.getByText('What Assistant started stops with it: Mail helper.')).toBeTruthy()
  expect(dialog.getAllByRole('listitem').map(({ textContent }) => textContent)).toEqual([
    'What is under way is cut off.',
    'Requests that wait are denied.',
    'Permissions for a chat or an hour end.',
    'Your presets and what you always allow hold again when you start again.',
  ])
  await userEvent.click(dialog.getByRole('button', { name: 'Stop' }))
  const receipt = within(await screen.findByRole('dialog', { name: 'Assistant is stopped' }))
  expect(receipt.getByText('Stopped with it: Mail helper.')).toBeTruthy()
  expect(receipt.getByText('1 request was denied.')).toBeTruthy()
})

test('a helper that stopped with its parent says so, and starts again with it', async () => {
  const stopped = { agents: { assistant: 1, mail: 1 }, accounts: {} }
  const { Page, oversight } = fakePage({ rules: { ...fakeRules(), stopped } })
  const resume = vi.spyOn(oversight, 'resume')
  render(
    <Page>
      <AgentAccess agent="mail" />
    </Page>,
  )
  const own = await screen.findByRole('button', { name: 'Start again: Mail helper' })
  expect(screen.getByText('Stopped')).toBeTruthy()
  // Its own stop is over, that of its parent is not.
  await userEvent.click(own)
  const parents = await screen.findByRole('button', { name: 'Start again: Assistant' })
  expect(parents.textContent).toBe('Start again: Assistant')
  expect(screen.getByText('Stopped with Assistant', { selector: '.latchkey-status' })).toBeTruthy()
  await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Stopped with Assistant'))
  expect(document.activeElement).toBe(parents)
  await userEvent.click(parents)
  const stop = await screen.findByRole('button', { name: 'Stop Mail helper' })
  await waitFor(() => expect(document.activeElement).toBe(stop))
  expect(screen.getByRole('status').textContent).toBe('Mail helper is started again.')
  expect(resume.mock.calls).toEqual([[{ agent: 'mail' }], [{ agent: 'assistant' }]])
})

test('while everything is stopped, an agent says that, and everything can be started again there', async () => {
  const { Page, oversight } = fakePage({
    rules: { ...fakeRules(), stopped: { everything: 1, agents: {}, accounts: {} } },
  })
  const resume = vi.spyOn(oversight, 'resume')
  render(
    <Page>
      <StopButton target={{ agent: 'assistant' }} />
    </Page>,
  )
  await userEvent.click(await screen.findByRole('button', { name: 'Start everything again' }))
  expect(await screen.findByRole('button', { name: 'Stop Assistant' })).toBeTruthy()
  expect(resume).toHaveBeenCalledExactlyOnceWith({ everything: true })
})

test('what is on its way says so to those who listen, in their language', async () => {
  const { Page } = fakePage({ pending: ['requests', 'activity', 'rules'], messages: german })
  render(
    <Page>
      <RequestsInbox />
      <Activity />
      <AgentAccess agent="assistant" />
    </Page>,
  )
  expect(await screen.findAllByText('Wird geladen')).toHaveLength(3)
  for (const word of screen.getAllByText('Wird geladen')) expect(word.closest('[aria-hidden]')).toBeNull()
})

test('what cannot be loaded says so, and is asked for again', async () => {
  const failing: ('rules' | 'activity')[] = ['rules']
  showAccess({ failing, rules: fakeRules() })
  expect((await screen.findByRole('alert')).textContent).toContain("couldn't be loaded")
  failing.pop()
  await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
  expect(await screen.findByRole('button', { name: 'Edit: octocat' })).toBeTruthy()
})

test('a server renders all of them', () => {
  const { Page } = fakePage()
  const html = renderToString(
    <Page>
      <AgentAccess agent="assistant" />
      <AccountAccess account={accounts[0]!.id} />
      <RequestCard request={fakeRequest()} />
      <RequestsInbox />
      <Activity />
      <StopButton />
    </Page>,
  )
  expect(html).toContain('latchkey-request')
})

test('the words are in the language of the kit, and an app can give its own', async () => {
  const { Page } = fakePage({ messages: german })
  const { oversight } = fakePage({ requests: [] })
  render(
    <Page>
      <RequestCard request={fakeRequest()} />
      <OversightProvider
        oversight={oversight}
        messages={{ inboxEmpty: 'Alles erledigt.', stopEnds: { calls: 'Schluss.' } }}
      >
        <RequestsInbox />
        <StopButton />
      </OversightProvider>
    </Page>,
  )
  expect(await screen.findByText('Mail helper möchte Gmail nutzen')).toBeTruthy()
  expect(await screen.findByText('Alles erledigt.')).toBeTruthy()
  expect(screen.getByRole('heading', { name: 'Wartet auf Sie' })).toBeTruthy()
  expect((await screen.findByRole('article')).lang).toBe('de')
  await userEvent.click(screen.getByRole('button', { name: 'Alles anhalten' }))
  const dialog = await screen.findByRole('dialog')
  expect(
    within(dialog)
      .getAllByRole('listitem')
      .map(({ textContent }) => textContent),
  ).toEqual([
    'Schluss.',
    'Wartende Anfragen werden abgelehnt.',
    'Was für einen Chat oder eine Stunde erlaubt ist, endet.',
    'Ihre Einstellungen und was Sie immer erlauben, gelten nach dem Wiederstarten wieder.',
  ])
})

test('visible() leaves what people write as it is', () => {
  const text = 'Grüße, naïve café — “yes”\u00A0! 日本語\u3000です 👍🏽 #️⃣ שלום'
  expect(visible(text)).toBe(text)
})
