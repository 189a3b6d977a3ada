import type { ConnectedAccount } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, waitFor } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'
import { ExpiryLabel } from './expiry-label.tsx'

/** When an account's access expires; it counts down. Use it in a card of your own. */
const meta = {
  id: 'components-expirylabel',
  title: 'Small parts/ExpiryLabel',
  component: ExpiryLabel,
  args: { provider: 'github' },
  argTypes: { when: { control: 'inline-radio', options: ['expiring', 'known'] } },
  parameters: { controls: { disable: false } },
  // Made when the story starts, so that the times match the text.
  loaders: [
    ({ parameters }) => {
      const { leaves, ...facts } = (parameters.account ?? {}) as Partial<ConnectedAccount> & { leaves?: number }
      const expiresAt = leaves === undefined ? undefined : Date.now() + leaves
      return { client: createFakeClient({ accounts: [fakeAccount({ renewable: false, expiresAt, ...facts })] }) }
    },
  ],
  render: (args, { loaded, parameters }) => (
    <LatchkeyProvider client={loaded.client} messages={parameters.messages}>
      <ExpiryLabel {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ExpiryLabel>

export default meta
type Story = StoryObj<typeof meta>

const reads =
  (words: string | RegExp): Story['play'] =>
  async ({ canvas }) =>
    expect(canvas.getByText(words)).toBeVisible()

/** Access ends in some days. */
export const InDays: Story = { parameters: { account: { leaves: 3 * 86_400_000 } }, play: reads('Expires in 3 days') }

/** Access ends in some hours. */
export const InHours: Story = { parameters: { account: { leaves: 2 * 3_600_000 } }, play: reads('Expires in 2 hours') }

/** It counts seconds in the last two minutes. */
export const Ticking: Story = {
  parameters: { account: { status: 'expiring', leaves: 30_000 } },
  play: async ({ canvas }) => {
    const label = canvas.getByText(/^Expires in \d+ seconds$/)
    const first = label.textContent
    await waitFor(() => expect(label).not.toHaveTextContent(first ?? ''), { timeout: 5000 })
    await expect(label).toHaveAttribute('datetime')
  },
}

/** Access has ended. */
export const Expired: Story = {
  parameters: { account: { status: 'needs-reconnect', reason: 'expired', leaves: -3 * 3_600_000 } },
  play: reads('Expired 3 hours ago'),
}

/** Latchkey renews the access by itself. */
export const Renewed: Story = {
  parameters: { account: { renewable: true, leaves: 50 * 60_000 } },
  play: reads('Renews automatically in 50 minutes'),
}

/** The access ended, and is renewed when it is used next. */
export const RenewedOnUse: Story = {
  parameters: { account: { renewable: true, leaves: -60_000 } },
  play: reads('Renews automatically on next use'),
}

/** It renders nothing for an account without an expiry. */
export const NoExpiry: Story = {
  parameters: { nothing: 'this account does not expire.' },
  play: async ({ canvasElement }) => expect(canvasElement.querySelector('time')).toBeNull(),
}

/** `when="expiring"`: it renders nothing until access expires soon. */
export const OnlyWhenExpiring: Story = {
  args: { when: 'expiring' },
  parameters: { account: { leaves: 3_600_000 }, nothing: 'this access does not expire soon.' },
  play: async ({ canvasElement }) => expect(canvasElement.querySelector('time')).toBeNull(),
}

/** The words of the catalogue, and the browser's own way to say a time. */
export const InGerman: Story = {
  parameters: {
    account: { leaves: 4 * 60_000 },
    messages: { locale: 'de', expires: (when: string) => `Läuft ${when} ab` },
  },
  play: reads('Läuft in 4 Minuten ab'),
}
