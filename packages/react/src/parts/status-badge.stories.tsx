import type { ConnectedAccount as AccountFacts, CardStatus, Reason } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect } from 'storybook/test'
import { Account } from '../index.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { allMessages } from '../use-messages.ts'
import { StatusBadge } from './status-badge.tsx'

/** A status as a word, a colour and a shape, with its reason if you like. Use it in a card of your own. */
const meta = {
  id: 'components-statusbadge',
  title: 'Small parts/StatusBadge',
  component: StatusBadge,
  args: { provider: 'github', withReason: true },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <StatusBadge {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof StatusBadge>

export default meta
type Story = StoryObj<typeof meta>

/** The options that make a client show this status and reason. */
function having(status: CardStatus, reason?: Reason): FakeClientOptions {
  if (status === 'loading') return { status: 'loading' }
  if (status === 'disconnected') return { states: { github: { status: 'idle', reason } } }
  if (status === 'connecting') return { states: { github: { status: 'connecting', reason } } }
  return { accounts: [fakeAccount({ status: status as AccountFacts['status'], reason })] }
}

const list = { display: 'grid', gap: 8, margin: 0, padding: 0, listStyle: 'none' } as const

/** Every status. */
export const EveryWord: Story = {
  parameters: { docs: { source: { code: '<StatusBadge provider="github" />' } } },
  args: { withReason: false },
  render: (args) => (
    <ul style={list}>
      {(Object.keys(allMessages(undefined).status) as CardStatus[]).map((status) => (
        <li key={status}>
          <LatchkeyProvider client={createFakeClient(having(status))}>
            <StatusBadge {...args} />
          </LatchkeyProvider>
        </li>
      ))}
    </ul>
  ),
  play: async ({ canvas }) => {
    for (const [status, word] of Object.entries(allMessages(undefined).status)) {
      await expect(canvas.getByText(word)).toHaveAttribute('data-status', status)
    }
    // Statuses must differ without colour: no two shapes have the same styles.
    const shapes = Object.values(allMessages(undefined).status).map((word) => {
      const { borderRadius, backgroundImage, backgroundColor, borderTopStyle, boxShadow, clipPath, rotate } =
        getComputedStyle(canvas.getByText(word), '::before')
      const filled = backgroundColor !== 'rgba(0, 0, 0, 0)'
      const gradient = backgroundImage.replace(/rgba?\([^)]*\)|currentcolor/g, '')
      return [borderRadius, gradient, filled, borderTopStyle, boxShadow !== 'none', clipPath, rotate].join()
    })
    await expect(new Set(shapes).size).toBe(shapes.length)
  },
}

const why: readonly [CardStatus, Reason][] = [
  ['needs-reconnect', 'expired'],
  ['needs-reconnect', 'revoked'],
  ['needs-reconnect', 'invalid_token'],
  ['needs-reconnect', 'secret_unavailable'],
  ['connected', 'offline'],
  ['connected', 'unverified'],
  ['disconnected', 'access_denied'],
  ['disconnected', 'popup_blocked'],
  ['connecting', 'popup_closed'],
  ['connecting', 'embedded'],
]

/** Every reason, with the status that it belongs to. */
export const EveryReason: Story = {
  parameters: { docs: { source: { code: '<StatusBadge provider="github" withReason />' } } },
  render: (args) => (
    <ul style={list}>
      {why.map(([status, reason]) => (
        <li key={reason}>
          <LatchkeyProvider client={createFakeClient(having(status, reason))}>
            <StatusBadge {...args} />
          </LatchkeyProvider>
        </li>
      ))}
    </ul>
  ),
  play: async ({ canvas }) => {
    for (const [, reason] of why) {
      await expect(canvas.getByText(allMessages(undefined).reasons[reason]?.('GitHub') ?? reason)).toHaveAttribute(
        'data-reason',
        reason,
      )
    }
  },
}

/** Inside an `Account.Root` it needs no props. */
export const InARoot: Story = {
  parameters: {
    fake: having('paused'),
    docs: { source: { code: '<Account.Root provider="github">\n  <StatusBadge withReason />\n</Account.Root>' } },
  },
  render: (_args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <Account.Root provider="github">
        <StatusBadge withReason />
      </Account.Root>
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Paused')).toBeVisible()
    await expect(canvas.getByText(allMessages(undefined).paused)).toBeVisible()
  },
}
