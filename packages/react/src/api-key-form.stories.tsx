import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { AccountCard } from './account-card.tsx'
import { ApiKeyForm } from './api-key-form.tsx'
import { LatchkeyProvider } from './context.tsx'
import { createFakeClient, type FakeClientOptions } from './testing.ts'

/** A key, or a whole credential file, in the card that asked for it. */
const meta = {
  title: 'ApiKeyForm',
  component: AccountCard,
  subcomponents: { ApiKeyForm },
  args: { provider: 'kaggle' },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountCard {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof AccountCard>

export default meta
type Story = StoryObj<typeof meta>
type Canvas = Parameters<NonNullable<Story['play']>>[0]['canvas']

const open = async (canvas: Canvas) => {
  await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
  const key = await canvas.findByLabelText('Kaggle API key')
  await waitFor(() => expect(key).toHaveFocus())
  return key
}

export const Open: Story = {
  play: async ({ canvas }) => {
    const key = await open(canvas)
    await expect(key).toHaveAttribute('type', 'password')
    await expect(canvas.getByRole('button', { name: 'Connect Kaggle' })).toHaveAttribute('aria-expanded', 'true')
    await expect(canvas.getByRole('link', { name: 'Get API Key' })).toHaveAttribute(
      'href',
      'https://www.kaggle.com/settings/account',
    )
    await expect(canvas.queryByRole('textbox', { name: 'Kaggle username' })).toBeNull()
  },
}

/** Escape closes the form and gives the focus back. */
export const ClosedByEscape: Story = {
  play: async ({ canvas }) => {
    await open(canvas)
    await userEvent.keyboard('{Escape}')
    const button = canvas.getByRole('button', { name: 'Connect Kaggle' })
    await expect(button).toHaveFocus()
    await expect(button).toHaveAttribute('aria-expanded', 'false')
    await expect(canvas.queryByLabelText('Kaggle API key')).toBeNull()
  },
}

/** An older key is sent with a username, so it is asked for; a new token is not. */
export const LegacyKey: Story = {
  play: async ({ canvas, loaded: { client } }) => {
    const key = await open(canvas)
    await userEvent.type(key, '0123456789abcdef0123456789abcdef')
    const username = canvas.getByRole('textbox', { name: 'Kaggle username' })
    await userEvent.type(username, 'adal')
    const connect = spyOn(client, 'connect')
    const verify = spyOn(client, 'verifyKey')
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Disconnect Kaggle' })).toHaveFocus())
    const fields = verify.mock.lastCall?.[1]
    await expect(fields).toEqual({ key: '0123456789abcdef0123456789abcdef', username: 'adal' })
    await expect(connect.mock.lastCall?.[1]).toHaveProperty('apiKey', fields)
    await expect(canvas.getByText('API Key')).toBeVisible()
  },
}

export const WholeFilePasted: Story = {
  play: async ({ canvas, loaded: { client } }) => {
    await open(canvas)
    const connect = spyOn(client, 'connect')
    await userEvent.paste('{\n  "username": "adal",\n  "key": "0123456789abcdef0123456789abcdef"\n}\n')
    await expect(canvas.getByRole('textbox', { name: 'Kaggle username' })).toHaveValue('adal')
    await expect(canvas.getByRole('button', { name: 'Connect' })).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await expect(await canvas.findByText('Connected')).toBeVisible()
    await expect(connect).toHaveBeenCalledWith('kaggle', {
      apiKey: { username: 'adal', key: '0123456789abcdef0123456789abcdef' },
    })
  },
}

export const WholeFileDropped: Story = {
  play: async ({ canvas }) => {
    const key = await open(canvas)
    const files = new DataTransfer()
    files.items.add(new File(['{"username":"adal","key":"0123456789abcdef"}'], 'kaggle.json'))
    key.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: files }))
    await waitFor(() => expect(canvas.getByRole('textbox', { name: 'Kaggle username' })).toHaveValue('adal'))
  },
}

/** A refused key stays where it is, to be corrected. */
export const Refused: Story = {
  parameters: {
    fake: {
      verifyKey: async () => {
        throw new LatchkeyError('invalid_token', 'Kaggle refused the key.', { next: 'edit-key' })
      },
    },
  },
  play: async ({ canvas, loaded: { client } }) => {
    const key = await open(canvas)
    const connect = spyOn(client, 'connect')
    await userEvent.type(key, 'KGAT_wrong{Enter}')
    await expect(await canvas.findByRole('alert')).toHaveTextContent('Kaggle did not accept this key.')
    await expect(key).toHaveValue('KGAT_wrong')
    await expect(key).toHaveAttribute('aria-invalid', 'true')
    await expect(key).toHaveAccessibleDescription(/Kaggle did not accept this key/)
    await expect(key).toHaveFocus()
    await expect(connect).not.toHaveBeenCalled()
  },
}

export const Checking: Story = {
  parameters: { fake: { verifyKey: () => new Promise(() => {}) } },
  play: async ({ canvas }) => {
    await userEvent.type(await open(canvas), 'KGAT_0123{Enter}')
    const button = await canvas.findByRole('button', { name: 'Checking…' })
    await expect(button).toHaveAttribute('aria-disabled', 'true')
  },
}

/** Nobody could say whether the key is good: it is kept, and the card says so. */
export const CouldNotBeChecked: Story = {
  parameters: {
    fake: {
      verifyKey: async () => {
        throw new LatchkeyError('network', 'Kaggle could not be reached.')
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.type(await open(canvas), 'KGAT_0123{Enter}')
    await expect(await canvas.findByRole('button', { name: 'Disconnect Kaggle' })).toBeVisible()
  },
}

export const NotAKeyFile: Story = {
  play: async ({ canvas }) => {
    await open(canvas)
    await userEvent.paste('{ "token": 1 }')
    await expect(await canvas.findByRole('alert')).toHaveTextContent('This is not a kaggle.json with a key in it.')
    await userEvent.paste('first\nsecond')
    await expect(await canvas.findByRole('alert')).toHaveTextContent('line breaks')
    const card = within(canvas.getByRole('article'))
    await expect(card.getByLabelText('Kaggle API key')).toHaveValue('')
  },
}
