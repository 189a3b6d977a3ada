// @vitest-environment jsdom
import { langGraph } from '@latchkey/core/runtimes/langgraph'
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SHAPES } from '../../../core/fixtures/foreign-shapes.ts'
import { fakePage } from './fake-page.tsx'
import { RuntimePrompt } from './runtime-prompt.tsx'
import { useRequests } from './runtime-requests.ts'

configure({ asyncUtilTimeout: 10_000 })
afterEach(() => {
  cleanup()
  vi.restoreAllMocks()
})

// A window that the person can leave and come back to. jsdom opens none.
let isAway: boolean
beforeEach(() => {
  isAway = false
  vi.spyOn(document, 'hasFocus').mockImplementation(() => !isAway)
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => isAway)
})
const turn = (away: boolean) =>
  act(async () => {
    isAway = away
    window.dispatchEvent(new Event(away ? 'blur' : 'focus'))
  })

/** A chat whose graph waits for what another vault said. */
function show(said: unknown) {
  const respondAll = vi.fn()
  const { Page } = fakePage({ requests: [] })
  const Chat = () => (
    <div role="log">
      {useRequests(langGraph({ interrupts: [{ id: 'i1', value: said }], respondAll })).map((request) => (
        <RuntimePrompt key={request.id} request={request} />
      ))}
    </div>
  )
  render(
    <Page>
      <Chat />
    </Page>,
  )
  return respondAll
}

describe.each(SHAPES)('%s', (_, _vault, say, page, owner) => {
  const { host } = new URL(page)

  it('is recognised, named, opened, its return noticed, and the runtime answered', async () => {
    const respondAll = show(say(page))
    const link = await screen.findByRole('link', { name: `Open ${host}` })
    const who = owner === 'Google' ? 'Gmail' : (owner ?? 'A tool')
    expect(screen.getByRole('article', { name: `${who} needs you to visit ${host}` })).toBeTruthy()
    expect([link.getAttribute('href'), link.getAttribute('rel')]).toEqual([page, 'noopener noreferrer'])
    await userEvent.click(link)
    await turn(true)
    await turn(false)
    await waitFor(() => expect(respondAll.mock.calls).toEqual([[{ i1: { approved: true, of: page } }]]))
  })

  it('is answered, too, by a person who does without', async () => {
    const respondAll = show(say(page))
    await userEvent.click(await screen.findByRole('button', { name: /^Not now/ }))
    await waitFor(() => expect(respondAll.mock.calls).toEqual([[{ i1: { approved: false, of: page } }]]))
  })

  it('is shown by its host alone, with a warning, where nobody knows the page', async () => {
    show(say('https://vercel.com.evil.example/link'))
    const card = await screen.findByRole('article', { name: 'A tool needs you to visit vercel.com.evil.example' })
    expect(card.textContent).toContain("This app doesn't know that address.")
  })

  it('shows nothing for what is no page', async () => {
    for (const url of ['javascript:alert(1)', 'http://vercel.com/a', 'https://vercel.com@evil.example/']) {
      show(say(url))
      expect(screen.getByRole('log').textContent).toBe('')
      cleanup()
    }
  })
})
