'use client'
import type { ConnectedAccount } from '@latchkey/core'
import type { RefObject } from 'react'
import type { ConnectIntent } from '../connect/start.ts'
import { DisconnectQuestion } from '../dialogs/questions.lazy.tsx'
import { isUsable, useKit } from '../hooks.ts'
import type { Fallback } from '../later.tsx'
import type { Subject } from '../parts/context.tsx'
import { useMessages } from '../use-messages.ts'
import { type DetailsActions, RowDetails } from './account-details.lazy.tsx'
import { type Choice, Menu, type Opened } from './menu.lazy.tsx'
import { askToRemove } from './remove-server.lazy.tsx'

interface AccountExtrasProps extends Fallback, Pick<DetailsActions, 'Connect'> {
  subject: Subject & { account: ConnectedAccount }
  /** The provider's other accounts. */
  others: readonly ConnectedAccount[]
  isDefault: boolean
  open: Opened
  onOpen: (open: Opened) => void
  /** The details are open. */
  shown: boolean
  onShow: (shown: boolean) => void
  /** The button of the menu. */
  trigger: RefObject<HTMLButtonElement | null>
  /** The button of the details. */
  opener: RefObject<HTMLButtonElement | null>
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onLeave: () => void
  onAdd: (target: HTMLElement) => void
  /** Called when the menu or the question is gone: moves the focus. */
  onGone: () => void
}

/** What a row opens: its menu, the account's details, and the question before a disconnect. Loaded before it is needed. */
export function AccountExtras(props: AccountExtrasProps) {
  const { subject, others, open, onOpen, shown, onShow, opener, onStart, onLeave, onGone } = props
  const { provider, account } = subject
  const actions: DetailsActions = {
    Connect: props.Connect,
    label: others.length > 0 ? account.label : undefined,
    onStart,
    onDisconnect: () => onOpen('question'),
  }
  return (
    <>
      {open === 'menu' && <AccountMenu {...props} />}
      {shown && <RowDetails subject={subject} opener={opener} actions={actions} onClose={() => onShow(false)} />}
      {open === 'question' && (
        <DisconnectQuestion
          provider={provider}
          account={account}
          others={others}
          onConfirm={onLeave}
          onClose={() => onOpen(undefined)}
          onClosed={onGone}
        />
      )}
    </>
  )
}

function AccountMenu(props: AccountExtrasProps) {
  const { subject, others, isDefault, onOpen, onShow, trigger, opener, onAdd, onGone } = props
  const { provider, account } = subject
  const messages = useMessages()
  const { client, remover } = useKit()
  const { name } = provider
  const several = others.length > 0
  const label = several ? account.label : undefined
  const paused = account.status === 'paused'
  const choices: (Choice | false)[] = [
    {
      label: messages.detailsShort,
      name: messages.details(name, label),
      after: () => {
        opener.current?.focus()
        onShow(true)
      },
    },
    isUsable(account) && {
      label: messages.pauseShort,
      name: messages.pause(name, label),
      choose: () => client.pause(account.id).catch(() => {}),
    },
    paused && {
      label: messages.resumeShort,
      name: messages.resume(name, label),
      choose: () => client.unpause(account.id).catch(() => {}),
    },
    { label: messages.addAnother(name), choose: () => trigger.current && onAdd(trigger.current) },
    several &&
      !isDefault && {
        label: messages.makeDefaultShort,
        name: messages.makeDefault(account.label),
        choose: () => client.setDefault(account.id),
      },
    {
      label: messages.disconnectShort,
      name: messages.disconnect(name, label),
      ends: true,
      after: () => onOpen('question'),
    },
    provider.kind === 'mcp' &&
      remover() !== undefined && {
        label: messages.removeServerShort,
        name: messages.removeServer(name),
        ends: true,
        after: () => askToRemove(props.card.current),
      },
  ]
  return (
    <Menu
      trigger={trigger}
      label={messages.more(name, label)}
      choices={choices.filter((choice) => choice !== false)}
      onClose={() => onOpen(undefined)}
      onClosed={onGone}
    />
  )
}
