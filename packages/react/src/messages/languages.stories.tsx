import { oauth } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, userEvent, waitFor, within } from 'storybook/test'
import { ConnectedAccounts } from '../panel/connected-accounts.tsx'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'
import { arabic } from './ar.ts'
import { german } from './de.ts'
import { spanish } from './es.ts'
import { french } from './fr.ts'
import { japanese } from './ja.ts'
import type { MessageOverrides, Messages } from './messages.ts'

/**
 * The panel in other languages. A catalogue brings its own writing direction, and dates and durations follow it. Use one
 * for each language of your app.
 */
const meta = {
  id: 'components-languages',
  title: 'Panel/Languages',
  component: ConnectedAccounts,
  parameters: { docs: { source: { code: '<ConnectedAccounts />' } } },
  loaders: [
    () => {
      const common = { label: 'octocat', scopes: ['read:user', 'repo'] }
      const soon = Date.now() + 4 * 60_000
      const octocat = fakeAccount({ ...common, status: 'expiring', renewable: false, expiresAt: soon })
      const kaggler = fakeAccount({ provider: 'kaggle', username: 'adal', name: 'adal' })
      return { client: createFakeClient({ accounts: [octocat, kaggler] }) }
    },
  ],
  render: (args, { loaded, parameters }) => (
    <LatchkeyProvider client={loaded.client} messages={parameters.messages as MessageOverrides}>
      <ConnectedAccounts {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ConnectedAccounts>

export default meta
type Story = StoryObj<typeof meta>

/** `messages={german}`, from `@latchkey/react/messages/de`. */
export const German: Story = {
  parameters: { messages: german },
  play: async ({ canvas }) => {
    const panel = canvas.getByRole('region', { name: 'Verbundene Konten' })
    await expect(panel).toHaveAttribute('lang', 'de')
    const card = within(within(panel).getByRole('article', { name: 'GitHub' }))
    await expect(await card.findByText(/^Läuft in [34] Minuten ab$/)).toBeVisible()
    await expect(within(panel).getByRole('button', { name: 'Gmail verbinden' })).toBeVisible()
    await userEvent.click(card.getByRole('button', { name: 'Weitere Optionen für GitHub' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: 'GitHub trennen' }))
    const dialog = await screen.findByRole('dialog', { name: 'octocat von GitHub trennen?' })
    await expect(dialog.closest('[lang]')).toHaveAttribute('lang', 'de')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Abbrechen' }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** `messages={arabic}`, from `@latchkey/react/messages/ar`. */
export const Arabic: Story = {
  parameters: { messages: arabic },
  play: async ({ canvas }) => {
    const panel = canvas.getByRole('region', { name: 'الحسابات المربوطة' })
    await expect(panel).toHaveAttribute('lang', 'ar')
    await expect(getComputedStyle(panel).direction).toBe('rtl')
    const card = within(panel).getByRole('article', { name: 'GitHub' })
    await expect(await within(card).findByText(/^تنتهي الصلاحية خلال/)).toBeVisible()
    const mark = card.querySelector('.latchkey-mark')?.getBoundingClientRect()
    const name = within(card).getByText('GitHub').getBoundingClientRect()
    await expect(mark?.left).toBeGreaterThanOrEqual(name.right)
    await userEvent.click(within(card).getByRole('button', { name: arabic.more('GitHub') }))
    await userEvent.click(await screen.findByRole('menuitem', { name: arabic.disconnect('GitHub') }))
    const dialog = await screen.findByRole('dialog')
    await expect(getComputedStyle(dialog).direction).toBe('rtl')
    await userEvent.click(within(dialog).getByRole('button', { name: 'إلغاء' }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** The panel in a language that is written from left to right, and its question before a disconnect. */
const inLanguage = (messages: Messages): Story => ({
  parameters: { messages },
  play: async ({ canvas }) => {
    const panel = canvas.getByRole('region', { name: messages.title })
    await expect(panel).toHaveAttribute('lang', messages.locale)
    await expect(within(panel).getByRole('button', { name: messages.connect('Gmail') })).toBeVisible()
    const card = within(within(panel).getByRole('article', { name: 'GitHub' }))
    await userEvent.click(card.getByRole('button', { name: messages.more('GitHub') }))
    await userEvent.click(await screen.findByRole('menuitem', { name: messages.disconnect('GitHub') }))
    const dialog = await screen.findByRole('dialog', { name: messages.disconnectTitle('GitHub', 'octocat') })
    await userEvent.click(within(dialog).getByRole('button', { name: messages.cancelShort }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
})

/** `messages={french}`, from `@latchkey/react/messages/fr`. */
export const French: Story = inLanguage(french)
/** `messages={spanish}`, from `@latchkey/react/messages/es`. */
export const Spanish: Story = inLanguage(spanish)
/** `messages={japanese}`, from `@latchkey/react/messages/ja`. */
export const Japanese: Story = inLanguage(japanese)

const service = (name: string) =>
  oauth({
    id: name.toLowerCase(),
    name,
    issuer: 'https://login.example',
    authorizationEndpoint: 'https://login.example/authorize',
    tokenEndpoint: 'https://login.example/token',
    apiBaseUrl: 'https://api.example',
  })

const catalogues: Record<string, MessageOverrides> = { english: {}, german, arabic, spanish, french, japanese }
const sendsToo = [...gmail().scopes, 'https://www.googleapis.com/auth/gmail.send']

/** Rows are as high as they promise in every language, in a wide panel and in one of 400 px. */
export const RowHeights: Story = {
  tags: ['!dev', '!autodocs', 'no-look'],
  loaders: [
    () => ({
      client: createFakeClient({
        providers: [github(), gmail(), kaggle(), service('Linear'), service('Slack')],
        accounts: [
          fakeAccount({ label: 'octocat', status: 'needs-reconnect', reason: 'revoked' }),
          fakeAccount({ provider: 'gmail', username: 'ada@example.com', label: 'ada@example.com', scopes: sendsToo }),
          fakeAccount({ provider: 'kaggle', username: 'adalovelace', label: 'adalovelace', status: 'paused' }),
          fakeAccount({
            provider: 'linear',
            label: 'grace',
            status: 'expiring',
            renewable: false,
            expiresAt: Date.now() + 4 * 60_000,
          }),
        ],
      }),
    }),
  ],
  render: (_args, { loaded }) => (
    <>
      {Object.entries(catalogues).flatMap(([language, messages]) =>
        ([640, 400] as const).flatMap((width) =>
          (['comfortable', 'compact'] as const).map((density) => (
            <div key={`${language} ${width} ${density}`} style={{ inlineSize: width, padding: 8 }}>
              <LatchkeyProvider client={loaded.client} messages={messages}>
                <ConnectedAccounts title={`${language} ${width} ${density}`} density={density} agent="assistant" />
              </LatchkeyProvider>
            </div>
          )),
        ),
      )}
    </>
  ),
  play: async ({ canvas }) => {
    const panels = canvas.getAllByRole('region')
    await waitFor(() => expect(panels.every((panel) => within(panel).queryAllByRole('switch').length === 1)).toBe(true))
    const seen = panels.map((panel) => {
      const name = within(panel).getByRole('heading', { level: 2 }).textContent ?? ''
      const heights = within(panel)
        .getAllByRole('article')
        .map((card) => card.getBoundingClientRect().height)
      const height = name.endsWith('compact') ? 48 : 64
      return [`${name}: ${heights}`, `${name}: ${heights.map(() => height)}`] as const
    })
    await expect(seen.map(([was]) => was)).toEqual(seen.map(([, promised]) => promised))
  },
}
