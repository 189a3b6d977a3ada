// @vitest-environment jsdom
import { cleanup, configure, render, screen } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeRequest } from '../src/agents/fake-oversight.ts'
import { fakePage } from '../src/agents/fake-page.tsx'
import { AgentPage, ToolOutput } from './agents.tsx'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

test('a tool that answers with a request shows its card, and the chat goes on after the answer', async () => {
  const request = fakeRequest()
  const { Page, oversight } = fakePage({ requests: [request] })
  const goOn = vi.fn()
  const output = { type: 'approval_required', request: request.id }
  render(
    <Page>
      <ToolOutput output={output} goOn={goOn} />
      <ToolOutput output={{ ...output, request: 'of somebody else' }} goOn={goOn} />
      <ToolOutput output={{ sent: true }} goOn={goOn} />
    </Page>,
  )
  expect(screen.getByText(/"sent": true/)).toBeTruthy()
  expect(await screen.findAllByRole('article')).toHaveLength(1)
  await userEvent.click(await screen.findByRole('button', { name: 'Allow' }))
  await vi.waitFor(() => expect(goOn).toHaveBeenCalledOnce())
  expect((await oversight.request(request.id)).state).toBe('approved')
})

test("an agent's page has what waits, what it may do, what it did and a stop", async () => {
  const { Page } = fakePage()
  render(
    <Page>
      <AgentPage agent="assistant" />
    </Page>,
  )
  for (const name of [/^Waiting for you/, 'Assistant', 'Activity']) {
    expect(await screen.findByRole('heading', { name })).toBeTruthy()
  }
  expect(screen.getByRole('button', { name: 'Stop everything' })).toBeTruthy()
})
