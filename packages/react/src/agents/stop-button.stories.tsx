import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, userEvent, waitFor, within } from 'storybook/test'
import '../oversight.css'
import { fakeRules } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { StopButton } from './stop-button.tsx'

/** The emergency: stops an agent, an account or everything. It says first what that is, then what was stopped. */
const meta = {
  id: 'components-stopbutton',
  title: 'Oversight/StopButton',
  component: StopButton,
  parameters: {
    fake: {
      underWay: [
        { agent: 'mail', account: 'gmail.ada@example.com', tool: 'gmail/send_message', effect: 'write' },
        { agent: 'assistant', account: 'github.octocat', tool: 'github/list_repos', effect: 'read' },
      ],
    },
    docs: { frame: 340 },
  },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <StopButton {...args} />
    </Page>
  ),
} satisfies Meta<typeof StopButton>

export default meta
type Story = StoryObj<typeof meta>

const openDialog = async (name: string) => {
  const dialog = within(await screen.findByRole('dialog', { name }))
  await waitFor(() => expect(dialog.getByRole('button', { name: 'Cancel' })).toHaveFocus())
  return dialog
}

/** Stops everything. */
export const Default: Story = {}

/** The question. */
export const Question: Story = {
  args: { target: { agent: 'mail' } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Stop Mail helper' }))
    await openDialog('Stop Mail helper?')
  },
}

/** An agent that started others: they stop with it, and are named. */
export const WithHelpers: Story = {
  args: { target: { agent: 'assistant' } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Stop Assistant' }))
    const dialog = await openDialog('Stop Assistant?')
    await expect(dialog.getByText('What Assistant started stops with it: Mail helper.')).toBeVisible()
  },
}

/** The receipt. A change that was cut may have happened. */
export const Receipt: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Stop everything' }))
    const dialog = await openDialog('Stop everything?')
    await userEvent.click(dialog.getByRole('button', { name: 'Stop everything' }))
    const receipt = within(await screen.findByRole('dialog', { name: 'Everything is stopped' }))
    await waitFor(() => expect(receipt.getByText('May have happened')).toBeVisible())
    await expect(receipt.getByText('1 request was denied.')).toBeVisible()
    await waitFor(() => expect(receipt.getByRole('button', { name: 'Done' })).toHaveFocus())
  },
}

/** It did not reach the app: nothing is stopped, and the dialog says so. */
export const StopFailed: Story = {
  parameters: { fake: { failing: ['stop'] } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Stop everything' }))
    const dialog = await openDialog('Stop everything?')
    await userEvent.click(dialog.getByRole('button', { name: 'Stop everything' }))
    await waitFor(() => expect(dialog.getByRole('alert')).toBeVisible())
  },
}

/** A helper that stopped with the agent that started it. It starts again with that one. */
export const StoppedWithItsParent: Story = {
  args: { target: { agent: 'mail' } },
  parameters: { fake: { rules: { ...fakeRules(), stopped: { agents: { assistant: 1 }, accounts: {} } } } },
}

/** What is stopped can be started again. */
export const Stopped: Story = {
  parameters: { fake: { rules: { ...fakeRules(), stopped: { everything: 1, agents: {}, accounts: {} } } } },
}
