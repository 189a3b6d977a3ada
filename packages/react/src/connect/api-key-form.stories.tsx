import { apiKey, LatchkeyError } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { AccountCard } from '../panel/account-card.tsx'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { ApiKeyForm } from './api-key-form.tsx'

/**
 * The form for a key, or for a whole credential file. Cards open it; use it alone where your page asks for one key.
 */
const meta = {
  id: 'components-apikeyform',
  title: 'Dialogs/ApiKeyForm',
  component: ApiKeyForm,
  args: { provider: kaggle() },
  parameters: { docs: { source: { code: '<AccountCard provider="kaggle" />' } } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: ({ provider }, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountCard provider={provider.id} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ApiKeyForm>

export default meta
type Story = StoryObj<typeof meta>
type Canvas = Parameters<NonNullable<Story['play']>>[0]['canvas']

const open = async (canvas: Canvas) => {
  await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
  const key = await canvas.findByLabelText('Kaggle API key')
  await waitFor(() => expect(key).toHaveFocus())
  return key
}

const ofFields = (provider: ReturnType<typeof apiKey>, rest: Partial<Story> = {}): Story => ({
  args: { provider },
  parameters: {
    fake: { providers: [provider] },
    docs: { source: { code: `<ApiKeyForm provider={${provider.id}} onCancel={close} />` } },
  },
  render: (_, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ApiKeyForm provider={provider} onCancel={() => {}} />
    </LatchkeyProvider>
  ),
  ...rest,
})

/** Kaggle's form, by itself. */
export const Alone: Story = ofFields(kaggle())

/** In its card, as it opens. */
export const Open: Story = {
  tags: ['!autodocs'],
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

/** Escape closes the form, and the focus returns to the button. */
export const ClosedByEscape: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas }) => {
    await open(canvas)
    await userEvent.keyboard('{Escape}')
    const button = canvas.getByRole('button', { name: 'Connect Kaggle' })
    await expect(button).toHaveFocus()
    await expect(button).toHaveAttribute('aria-expanded', 'false')
    await expect(canvas.queryByLabelText('Kaggle API key')).toBeNull()
  },
}

/** A legacy key needs a username, so the form asks for one. A new token does not. */
export const LegacyKey: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.type(await open(canvas), '0123456789abcdef0123456789abcdef')
    await userEvent.type(canvas.getByRole('textbox', { name: 'Kaggle username' }), 'adal')
  },
}

export const LegacyKeyConnects: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const key = await open(canvas)
    await userEvent.type(key, '0123456789abcdef0123456789abcdef')
    const username = canvas.getByRole('textbox', { name: 'Kaggle username' })
    await userEvent.type(username, 'adal')
    const connect = spyOn(client, 'connectKey')
    const verify = spyOn(client, 'verifyKey')
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Kaggle' })).toHaveFocus())
    const fields = verify.mock.lastCall?.[1]
    await expect(fields).toEqual({ key: '0123456789abcdef0123456789abcdef', username: 'adal' })
    await expect(connect.mock.lastCall?.[1]).toBe(fields)
    await expect(canvas.getByText('API key')).toBeVisible()
  },
}

export const WholeFilePasted: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    await open(canvas)
    const connect = spyOn(client, 'connectKey')
    await userEvent.paste('{\n  "username": "adal",\n  "key": "0123456789abcdef0123456789abcdef"\n}\n')
    await expect(canvas.getByRole('textbox', { name: 'Kaggle username' })).toHaveValue('adal')
    await expect(canvas.getByRole('button', { name: 'Connect' })).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await expect(await canvas.findByText(/^Connected as/)).toBeVisible()
    await expect(connect).toHaveBeenCalledWith('kaggle', { username: 'adal', key: '0123456789abcdef0123456789abcdef' })
  },
}

/** The file was dropped: its username and key are filled in. */
export const WholeFileDropped: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    const key = await open(canvas)
    const files = new DataTransfer()
    files.items.add(new File(['{"username":"adal","key":"0123456789abcdef"}'], 'kaggle.json'))
    key.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: files }))
    await waitFor(() => expect(canvas.getByRole('textbox', { name: 'Kaggle username' })).toHaveValue('adal'))
  },
}

/** A refused key stays in the form, so that the person can correct it. */
export const Refused: Story = {
  tags: ['!autodocs'],
  parameters: {
    fake: {
      verifyKey: async () => {
        throw new LatchkeyError('invalid_token', 'Kaggle refused the key.', { next: 'edit-key' })
      },
    },
  },
  play: async ({ canvas, loaded: { client } }) => {
    const key = await open(canvas)
    const connect = spyOn(client, 'connectKey')
    await userEvent.type(key, 'KGAT_wrong{Enter}')
    await expect(await canvas.findByRole('alert')).toHaveTextContent('Kaggle rejected this key.')
    await expect(key).toHaveValue('KGAT_wrong')
    await expect(key).toHaveAttribute('aria-invalid', 'true')
    await expect(key).toHaveAccessibleDescription(/Kaggle rejected this key/)
    await expect(key).toHaveFocus()
    await expect(connect).not.toHaveBeenCalled()
  },
}

/** The key is checked before the account is connected. */
export const Checking: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { verifyKey: () => new Promise(() => {}) } },
  play: async ({ canvas }) => {
    await userEvent.type(await open(canvas), 'KGAT_0123{Enter}')
    const button = await canvas.findByRole('button', { name: 'Checking…' })
    await expect(button).toHaveAttribute('aria-disabled', 'true')
  },
}

/** The provider could not check the key. The account is connected, and the card says that its key is not checked. */
export const CouldNotBeChecked: Story = {
  tags: ['!autodocs'],
  parameters: {
    fake: {
      verifyKey: async () => {
        throw new LatchkeyError('network', 'Kaggle could not be reached.')
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.type(await open(canvas), 'KGAT_0123{Enter}')
    await expect(await canvas.findByRole('button', { name: 'More options for Kaggle' })).toBeVisible()
  },
}

/** What was pasted is not a key. */
export const NotAKeyFile: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await open(canvas)
    await userEvent.paste('{ "token": 1 }')
    await expect(await canvas.findByRole('alert')).toHaveTextContent("This kaggle.json doesn't contain a key.")
    await userEvent.paste('first\nsecond')
    await expect(await canvas.findByRole('alert')).toHaveTextContent('line breaks')
    const card = within(canvas.getByRole('article'))
    await expect(card.getByLabelText('Kaggle API key')).toHaveValue('')
  },
}

/** The person can show the key while typing. It is hidden again when the field loses the focus. */
export const Revealed: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    const key = await open(canvas)
    await userEvent.type(key, 'KGAT_0123')
    const reveal = canvas.getByRole('button', { name: 'Show what you typed' })
    await expect(reveal).toHaveAttribute('aria-pressed', 'false')
    await expect(reveal).toHaveAccessibleDescription('Kaggle API key')
    await userEvent.tab()
    await expect(reveal).toHaveFocus()
    await userEvent.keyboard(' ')
    await expect(reveal).toHaveAttribute('aria-pressed', 'true')
    await expect(key).toHaveAttribute('type', 'text')
    await expect(key).toHaveValue('KGAT_0123')
    await expect(key).not.toHaveAttribute('value')
    await userEvent.tab()
    await expect(key).toHaveAttribute('type', 'password')
    await expect(reveal).toHaveAttribute('aria-pressed', 'false')
    await userEvent.click(reveal)
    await expect(key).toHaveFocus()
    await expect(key).toHaveAttribute('type', 'text')
  },
}

export const RevealedDark: Story = { ...Revealed, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

const tracker = apiKey({
  id: 'tracker',
  name: 'Tracker',
  keyUrl: 'https://tracker.example/keys',
  apiBaseUrl: 'https://api.tracker.example',
  fields: [
    { name: 'token', label: 'API token', secret: true },
    { name: 'email', label: 'Email address', placeholder: 'you@example.com', pattern: '[^@ ]+@[^@ ]+' },
  ],
  schemes: [{ fields: ['token', 'email'], authorization: { scheme: 'Basic', username: 'email', password: 'token' } }],
})

/** Username and password for HTTP Basic. */
export const BasicPair: Story = ofFields(tracker)

export const BasicPairSent: Story = {
  ...BasicPair,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connectKey')
    await userEvent.type(canvas.getByLabelText('API token'), 's3cret')
    const email = canvas.getByRole('textbox', { name: 'Email address' })
    await userEvent.type(email, 'nobody{Enter}')
    await expect(canvas.getByRole('alert')).toHaveTextContent("Email address: this doesn't look right.")
    await expect(email).toHaveFocus()
    await userEvent.type(email, '@example.com{Enter}')
    await waitFor(() => expect(connect).toHaveBeenCalledOnce())
    await expect(connect).toHaveBeenCalledWith('tracker', { token: 's3cret', email: 'nobody@example.com' })
  },
}

const search = apiKey({
  id: 'search',
  name: 'Search',
  keyUrl: 'https://search.example/keys',
  apiBaseUrl: 'https://search.example',
  fields: [
    { name: 'key', label: 'API key', secret: true },
    {
      name: 'host',
      label: 'Host',
      type: 'url',
      placeholder: 'https://my-cluster.example.com',
      help: 'Where your own cluster answers.',
    },
  ],
})

/** A key, and the host that it belongs to. */
export const KeyAndHost: Story = ofFields(search)

export const KeyAndHostSent: Story = {
  ...KeyAndHost,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.type(canvas.getByLabelText('API key'), 'k')
    const host = canvas.getByRole('textbox', { name: 'Host' })
    await expect(host).toHaveAccessibleDescription('Where your own cluster answers.')
    await userEvent.type(host, 'http://my-cluster.example.com{Enter}')
    await expect(canvas.getByRole('alert')).toHaveTextContent('starts with https://')
  },
}

const maps = apiKey({
  id: 'maps',
  name: 'Maps',
  keyUrl: 'https://maps.example/keys',
  apiBaseUrl: 'https://maps.example',
  fields: [
    { name: 'key', label: 'API key', secret: true, placeholder: 'mk_…', pattern: 'mk_\\w+' },
    {
      name: 'region',
      label: 'Region',
      type: 'select',
      placeholder: 'Choose a region',
      options: [
        { value: 'eu', label: 'Europe' },
        { value: 'us', label: 'United States' },
      ],
    },
  ],
})

/** A key, and a list to choose from. */
export const KeyAndRegion: Story = ofFields(maps)

export const KeyAndRegionSent: Story = {
  ...KeyAndRegion,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connectKey')
    await userEvent.type(canvas.getByLabelText('API key'), 'mk_1{Enter}')
    await expect(canvas.getByRole('alert')).toHaveTextContent('Enter your Region.')
    await userEvent.selectOptions(canvas.getByRole('combobox', { name: 'Region' }), 'eu')
    await userEvent.click(canvas.getByRole('button', { name: 'Connect' }))
    await waitFor(() => expect(connect).toHaveBeenCalledWith('maps', { key: 'mk_1', region: 'eu' }))
  },
}

export const KeyAndRegionDark: Story = { ...KeyAndRegion, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

const warehouse = apiKey({
  id: 'warehouse',
  name: 'Warehouse',
  keyUrl: 'https://warehouse.example/keys',
  apiBaseUrl: 'https://warehouse.example',
  fields: [{ name: 'account', label: 'Service account', secret: true, type: 'multiline' }],
  cautions: ['A service account acts without a person. Give it no more roles than the agent needs.'],
})

/** Several lines of JSON are stored as one line. The file can be dropped or chosen. */
export const ServiceAccount: Story = ofFields(warehouse)

export const ServiceAccountSent: Story = {
  ...ServiceAccount,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const field = canvas.getByRole('textbox', { name: 'Service account' })
    await userEvent.click(field)
    await userEvent.paste('{\n  "type": "service_account",')
    await userEvent.click(canvas.getByRole('button', { name: 'Connect' }))
    await expect(canvas.getByRole('alert')).toHaveTextContent('Service account: something is missing.')
    await expect(getComputedStyle(field).getPropertyValue('-webkit-text-security')).toBe('disc')
    const connect = spyOn(client, 'connectKey')
    await userEvent.upload(
      canvas.getByLabelText('Choose file', { selector: 'input' }),
      new File(['{\n  "type": "service_account",\n  "private_key": "-----BEGIN\\n"\n}\n'], 'account.json'),
    )
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(connect).toHaveBeenCalledOnce())
    await expect(connect).toHaveBeenCalledWith('warehouse', {
      account: '{"type":"service_account","private_key":"-----BEGIN\\n"}',
    })
  },
}

export const ServiceAccountDark: Story = { ...ServiceAccount, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

const kaggler = fakeAccount({ provider: 'kaggle', username: 'adal', name: 'adal' })

/** A new key for an account. The old one stays in use until the new one is checked. */
export const Rotates: Story = {
  parameters: {
    fake: { accounts: [kaggler] },
    docs: { source: { code: '<ApiKeyForm provider={kaggle} accountId={account.id} />' } },
  },
  render: (_, { loaded: { client } }) => (
    <LatchkeyProvider client={client}>
      <ApiKeyForm provider={client.providers[2]} accountId={kaggler.id} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('form', { name: 'Replace the Kaggle key for adal' })).toBeVisible()
    await expect(canvas.getByText('The key for adal keeps working until the new one is checked.')).toBeVisible()
  },
}

export const RotatesTheKey: Story = {
  ...Rotates,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const reconnect = spyOn(client, 'connectKey')
    await userEvent.type(canvas.getByLabelText('Kaggle API key'), 'KGAT_new')
    await userEvent.click(canvas.getByRole('button', { name: 'Replace key' }))
    await waitFor(() =>
      expect(reconnect).toHaveBeenCalledWith('kaggle', { key: 'KGAT_new' }, { accountId: kaggler.id }),
    )
    await expect(canvas.getByLabelText('Kaggle API key')).toHaveValue('')
  },
}

/** The provider could not check the new key, so nothing changes. */
export const NotRotated: Story = {
  ...Rotates,
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [kaggler], verifyKey: async () => ({ status: 'unchecked' }) } },
  play: async ({ canvas, loaded: { client } }) => {
    const reconnect = spyOn(client, 'connectKey')
    await userEvent.type(canvas.getByLabelText('Kaggle API key'), 'KGAT_new{Enter}')
    await expect(await canvas.findByRole('alert')).toHaveTextContent("couldn't check this key, so nothing changed")
    await expect(reconnect).not.toHaveBeenCalled()
    await expect(canvas.getByLabelText('Kaggle API key')).toHaveValue('KGAT_new')
  },
}

export const NotRotatedDark: Story = { ...NotRotated, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }
