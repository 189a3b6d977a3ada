'use client'
import type { DisconnectReceipt, Provider } from '@latchkey/core'
import { type RefObject, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { createPortal } from 'react-dom'
import { QuestionDialog } from '../dialogs/questions.lazy.tsx'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { useKit } from '../hooks.ts'
import { MoreButton } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'
import { Menu, type Opened } from './menu.lazy.tsx'

interface ServerProps {
  /** An MCP server. */
  provider: Provider
  card: RefObject<HTMLElement | null>
}

/** What asks about removing the server of a card. The question is the card's: rows go with their accounts. */
const questions = new WeakMap<Element, () => void>()

/** Asks whether to remove the server of this card. */
export function askToRemove(card: Element | null): void {
  if (card) questions.get(card)?.()
}

interface ServerMoreProps extends ServerProps {
  /** Nobody has signed in to it: its row has no menu but this one. */
  bare: boolean
}

/** What a card has for removing its MCP server. Nothing where the app cannot do that. */
export function ServerMore({ provider, card, bare }: ServerMoreProps) {
  const { name } = provider
  const messages = useMessages()
  const { remover } = useKit()
  const [open, setOpen] = useState<Opened>()
  // The row is another one after an account was there.
  const row = useSyncExternalStore(
    subscribeToNothing,
    () => (bare ? rowOf(card.current) : null),
    () => null,
  )
  const trigger = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (card.current) questions.set(card.current, () => setOpen('question'))
  }, [card])
  if (!remover()) return null
  const close = () => setOpen(undefined)
  const goBack = () => (trigger.current ?? firstStop(card.current))?.focus()
  const choice = { label: messages.removeServerShort, name: messages.removeServer(name), ends: true }
  return (
    <>
      {row &&
        createPortal(
          <MoreButton
            ref={trigger}
            aria-label={messages.more(name)}
            aria-haspopup="menu"
            aria-expanded={open === 'menu'}
            onClick={() => setOpen(open === 'menu' ? undefined : 'menu')}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowDown') return
              event.preventDefault()
              setOpen('menu')
            }}
          />,
          row,
        )}
      {open === 'menu' && (
        <Menu
          trigger={trigger}
          label={messages.more(name)}
          choices={[{ ...choice, after: () => setOpen('question') }]}
          onClose={close}
          onClosed={goBack}
        />
      )}
      {open === 'question' && <RemoveQuestion provider={provider} card={card} onClose={close} onClosed={goBack} />}
    </>
  )
}

const rowOf = (card: Element | null) => card?.querySelector('.latchkey-row') ?? null
const subscribeToNothing = () => () => {}

interface RemoveQuestionProps extends ServerProps {
  onClose: () => void
  /** Called when the dialog is gone and the server is still there: moves the focus. */
  onClosed: () => void
}

/** Asks before an MCP server is removed, and stays if there is something left to say of its accounts. */
function RemoveQuestion({ provider, card, onClose, onClosed }: RemoveQuestionProps) {
  const { name } = provider
  const messages = useMessages()
  const { client, remover } = useKit()
  const announce = useAnnounce()
  const [state, setState] = useState<'busy' | 'failed' | readonly DisconnectReceipt[]>()
  // Where the focus goes when the card is gone.
  const next = useRef<() => HTMLElement | undefined>(undefined)

  const takeOut = () => {
    next.current = neighbour(card.current)
    announce(messages.serverRemoved(name))
    onClose()
    remover()?.(provider.id)
  }
  const confirm = async () => {
    setState('busy')
    try {
      const receipts = Object.values(await (await client.mcp()).remove(provider.id))
      const untold = receipts.filter((receipt) => receipt.status !== 'revoked')
      if (untold.length === 0) takeOut()
      else setState(untold)
    } catch {
      setState('failed')
    }
  }
  const cancel = { label: messages.cancelShort, kind: 'secondary', choose: onClose } as const
  const remove = { label: messages.removeServerConfirm, kind: 'danger', choose: confirm } as const
  const host = 'mcp' in provider ? new URL(provider.mcp.url).host : name
  const isLeft = Array.isArray(state)
  return (
    <QuestionDialog
      title={messages.removeServerTitle(name)}
      body={
        isLeft
          ? state.map((receipt, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they stay as they are.
              <Receipt key={at} provider={provider} receipt={receipt} account={undefined} />
            ))
          : state === 'busy'
            ? messages.removingServer
            : state === 'failed'
              ? messages.loadFailed
              : messages.removeServerBody(host)
      }
      answers={isLeft ? [{ label: messages.done, kind: 'primary', choose: takeOut }] : [cancel, remove]}
      busy={state === 'busy'}
      onClose={isLeft ? takeOut : onClose}
      onClosed={() => (next.current ? next.current()?.focus() : onClosed())}
    />
  )
}

/** What is beside a card: found now, and asked when the card is gone. */
function neighbour(card: HTMLElement | null): () => HTMLElement | undefined {
  const place = card?.closest('li')
  const beside = [place?.nextElementSibling, place?.previousElementSibling, card?.closest('.latchkey-panel')]
  return () => firstStop(...beside.filter((one) => one?.isConnected))
}
