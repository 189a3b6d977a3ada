import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, userEvent } from 'storybook/test'
import { Account } from '../index.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { AccountSwitcher } from './account-switcher.tsx'

/** Chooses which of several accounts is used. Use it where a chat or a form needs its own choice. */
const meta = {
  id: 'components-accountswitcher',
  title: 'Small parts/AccountSwitcher',
  component: AccountSwitcher,
  args: { provider: 'github' },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountSwitcher {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof AccountSwitcher>

export default meta
type Story = StoryObj<typeof meta>

const octocat = fakeAccount({ connectedAt: 1 })
const hubot = fakeAccount({ username: 'hubot', name: 'Hubot', connectedAt: 2, status: 'needs-reconnect' })
const mona = fakeAccount({ username: 'mona', name: 'Mona Lisa', connectedAt: 3 })
const three = { fake: { accounts: [octocat, hubot, mona] } }

/** One of several accounts is the default. */
export const Several: Story = {
  parameters: three,
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('radiogroup', { name: 'Default GitHub account' })).toBeVisible()
    await expect(canvas.getAllByRole('radio')).toHaveLength(3)
  },
}

/** One Tab stop. Arrow keys choose, and wrap around. The choice becomes the default account everywhere. */
export const ByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: three,
  play: async ({ canvas, loaded: { client } }) => {
    const [first, second, third] = canvas.getAllByRole('radio') as [HTMLElement, HTMLElement, HTMLElement]
    await expect(canvas.getByRole('radiogroup', { name: 'Default GitHub account' })).toBeVisible()
    await expect(first).toBeChecked()
    await userEvent.tab()
    await expect(first).toHaveFocus()
    await userEvent.keyboard('{ArrowDown}')
    await expect(second).toHaveFocus()
    await expect(second).toBeChecked()
    await expect(first).not.toBeChecked()
    await expect(client.getSnapshot().defaults.github).toBe(hubot.id)
    // m21: left and right follow the writing direction, up and down do not.
    await userEvent.keyboard('{ArrowDown}{ArrowDown}')
    await expect(first).toHaveFocus()
    await userEvent.keyboard('{ArrowUp}')
    await expect(third).toBeChecked()
    await userEvent.tab()
    await expect(document.body).toHaveFocus()
  },
}

/** The left and right keys follow the writing direction, as with the browser's own radio buttons. */
export const RightToLeft: Story = {
  tags: ['!dev', '!autodocs'],
  globals: { dir: 'rtl' },
  parameters: three,
  play: async ({ canvas }) => {
    const [first, second] = canvas.getAllByRole('radio') as [HTMLElement, HTMLElement]
    await userEvent.click(first)
    await userEvent.keyboard('{ArrowLeft}')
    await expect(second).toBeChecked()
    await userEvent.keyboard('{ArrowRight}')
    await expect(first).toBeChecked()
  },
}

export const LeftToRight: Story = {
  tags: ['!dev', '!autodocs'],
  globals: { dir: 'ltr' },
  parameters: three,
  play: async ({ canvas }) => {
    const [first, second] = canvas.getAllByRole('radio') as [HTMLElement, HTMLElement]
    await userEvent.click(first)
    await userEvent.keyboard('{ArrowRight}')
    await expect(second).toBeChecked()
    await userEvent.keyboard('{ArrowLeft}')
    await expect(first).toBeChecked()
  },
}

/** With `value` the app decides, for example per chat. The default account does not change. */
export const Controlled: Story = {
  args: { value: mona.id, onValueChange: fn() },
  parameters: three,
  play: async ({ canvas }) => expect(canvas.getByRole('radio', { name: /Mona Lisa/ })).toBeChecked(),
}

export const ControlledKeepsItsValue: Story = {
  ...Controlled,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, args, loaded: { client } }) => {
    await expect(canvas.getByRole('radio', { name: /Mona Lisa/ })).toBeChecked()
    await userEvent.click(canvas.getByRole('radio', { name: /Hubot/ }))
    await expect(args.onValueChange).toHaveBeenLastCalledWith(hubot.id)
    await expect(canvas.getByRole('radio', { name: /Mona Lisa/ })).toBeChecked()
    await expect(client.getSnapshot().defaults.github).toBeUndefined()
  },
}

/** Without an account it is the button that connects one. */
export const NoAccount: Story = {
  play: async ({ canvas }) => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible(),
}

/** The same behaviour without styles. */
export const Headless: Story = {
  parameters: {
    ...three,
    docs: {
      source: {
        code: '<Account.Root provider="github">\n  <Account.Switcher>\n    <Account.Option accountId={account.id}>…</Account.Option>\n  </Account.Switcher>\n</Account.Root>',
      },
    },
  },
  render: (_args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <Account.Root provider="github">
        <Account.Switcher asChild>
          <fieldset style={{ display: 'flex', gap: 8 }}>
            {[octocat, mona].map(({ id }) => (
              <Account.Option key={id} accountId={id}>
                <Account.Identity />
              </Account.Option>
            ))}
          </fieldset>
        </Account.Switcher>
      </Account.Root>
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('radio', { name: 'mona' }))
    await expect(canvas.getByRole('radio', { name: 'mona' })).toHaveAttribute('data-state', 'checked')
  },
}
