import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { Activity } from './activity.tsx'
import { fakeRequest } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'

/** What agents did with accounts, newest first. What was blocked is there too. */
const meta = {
  id: 'components-activity',
  title: 'Oversight/Activity',
  component: Activity,
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <Activity {...args} />
    </Page>
  ),
} satisfies Meta<typeof Activity>

export default meta
type Story = StoryObj<typeof meta>

/** All agents, page by page. */
export const Default: Story = {
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getAllByRole('listitem')).toHaveLength(20))
    await userEvent.click(canvas.getByRole('button', { name: 'Show more' }))
    await waitFor(() => expect(canvas.getAllByRole('listitem')).toHaveLength(40))
  },
}

/** Of one agent. */
export const OneAgent: Story = { args: { agent: 'mail' } }

/** The log is as it was written. */
export const Checked: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Check the log' }))
    await waitFor(() => expect(canvas.getByText(/^45 entries, all as they were written/)).toBeVisible())
  },
}

/** Somebody changed the log. */
export const ChangedLog: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { verdict: { ok: false, entries: 12, until: '2026-03-14T09:30:00Z' } } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Check the log' }))
    await waitFor(() => expect(canvas.getByText(/Part of the log was changed/)).toBeVisible())
  },
}

/** All of it is saved in a file, and the line says how many entries that are. */
export const Exported: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Export JSON lines' }))
    await waitFor(() => expect(canvas.getByText('All 45 entries exported')).toBeVisible())
  },
}

const use = { at: '2026-03-14T09:30:00Z', agent: 'mail', account: 'gmail.ada@example.com', provider: 'gmail' } as const

/** Questions, answers, changes, and reasons in words. */
export const InWords: Story = {
  parameters: {
    fake: {
      uses: [
        { ...use, seq: 7, tool: 'notes/list_notes', outcome: 'failed', reason: 'network', action: 'use' },
        { ...use, seq: 6, tool: 'gmail/send_message', outcome: 'denied', reason: 'denied', action: 'deny' },
        { ...use, seq: 5, tool: 'gmail/send_message', outcome: 'denied', action: 'answer' },
        { ...use, seq: 4, tool: 'gmail/send_message', outcome: 'denied', action: 'ask' },
        { ...use, seq: 3, tool: 'gmail/send_message', outcome: 'allowed', action: 'rule' },
        { ...use, seq: 2, outcome: 'denied', reason: 'blocked', action: 'leak' },
        { ...use, seq: 1, outcome: 'allowed', action: 'connect' },
      ],
    },
  },
}

const ended = (seq: number, tool: string, effect: 'read' | 'write', reason: string) => ({
  ...{ ...use, seq, tool, effect, reason, outcome: 'failed', action: 'use', route: '/users/{userId}/messages' },
})

/** Each way that a use can end: done, failed, stopped, not known, and blocked. */
export const Results: Story = {
  parameters: {
    fake: {
      uses: [
        {
          ...use,
          seq: 8,
          tool: 'gmail/list_messages',
          outcome: 'allowed',
          action: 'use',
          host: 'https://gmail.googleapis.com',
        },
        ended(7, 'gmail/list_messages', 'read', 'http_404'),
        ended(6, 'gmail/send_message', 'write', 'http_502'),
        ended(5, 'gmail/send_message', 'write', 'tool_error'),
        ended(4, 'gmail/list_messages', 'read', 'cancelled'),
        ended(3, 'gmail/send_message', 'write', 'cut'),
        ended(2, 'gmail/send_message', 'write', 'unknown'),
        { ...use, seq: 1, tool: 'gmail/delete_draft', outcome: 'denied', action: 'deny', reason: 'denied' },
      ],
    },
  },
}

const change = { ...use, provider: undefined, outcome: 'allowed', action: 'rule' } as const

/** What the person changed: for an account, for a tool, for how long, and for everything. */
export const Changes: Story = {
  parameters: {
    fake: {
      uses: [
        { ...change, seq: 7, preset: 'trusted' },
        { ...change, seq: 6, tool: 'gmail/send_message', decision: 'allow', until: '2026-03-14T10:30:00Z' },
        { ...change, seq: 5, tool: 'gmail/delete_draft', decision: 'never', lease: 'always' },
        { ...change, seq: 4, tool: 'gmail/send_message', decision: 'ask', lease: 'ended' },
        { ...change, seq: 3, tool: 'gmail/send_message', action: 'answer', lease: 'chat' },
        { ...change, seq: 2, action: 'stop', agent: undefined, account: undefined },
        { ...change, seq: 1, action: 'resume', account: undefined },
      ],
    },
  },
}

const asked = { ...use, tool: 'gmail/send_message', effect: 'write', request: 'r1' } as const
const readOnly = { reason: 'access_denied', rule: 'preset:read-only' } as const

/** What decided each call. Details have what it was asked for with, as its person edited it, and the exception. */
export const Decided: Story = {
  parameters: {
    fake: {
      requests: [fakeRequest({ state: 'approved', edited: { subject: 'Minutes of the meeting' } })],
      uses: [
        { ...asked, seq: 7, action: 'use', outcome: 'allowed', use: 'u7', edited: 'subject' },
        { ...asked, seq: 6, action: 'answer', outcome: 'allowed', lease: 'once', edited: 'subject' },
        { ...asked, seq: 5, action: 'ask', outcome: 'denied', rule: 'preset:ask-before-changes' },
        {
          ...{ ...use, seq: 4, agent: 'assistant', account: 'github.octocat', provider: 'github' },
          ...{ tool: 'github/create_issue', action: 'use', outcome: 'allowed', use: 'u4', rule: 'rule:e1' },
        },
        { ...use, seq: 3, tool: 'gmail/list_messages', action: 'use', outcome: 'allowed', rule: 'preset:trusted' },
        { ...use, seq: 2, tool: 'gmail/delete_draft', action: 'deny', outcome: 'denied', ...readOnly },
        { ...asked, seq: 1, action: 'use', outcome: 'allowed', use: 'u1', request: 'gone' },
      ],
    },
  },
  play: async ({ canvas }) => {
    const name = /^Details: /
    await waitFor(() => expect(canvas.getAllByRole('button', { name })).toHaveLength(5))
    const [edited, , , exception, gone] = canvas.getAllByRole('button', { name })
    for (const one of [edited, exception, gone]) await userEvent.click(one as HTMLElement)
    await waitFor(() => expect(canvas.getByText('Minutes of the meeting')).toBeVisible())
    await waitFor(() => expect(canvas.getByText(/always allowed/)).toBeVisible())
    await waitFor(() => expect(canvas.getByText(/isn't kept any more/)).toBeVisible())
  },
}

/** Nothing was done yet. */
export const Empty: Story = { parameters: { fake: { uses: [] } } }

/** Before the first page is there. */
export const Loading: Story = { parameters: { fake: { pending: ['activity'] } } }

/** The list could not be loaded. */
export const Failed: Story = { parameters: { fake: { failing: ['activity'] } } }
