'use client'
import { Anchor, Content, Portal, Root } from '@radix-ui/react-popover'
import type { KeyboardEventHandler, ReactNode } from 'react'
import { Layer } from './layer.tsx'

export interface PopoverProps {
  id: string
  /** Id of its heading. */
  labelledBy: string
  /** The button that opened it: what it stands beside. */
  trigger: HTMLElement
  onKeyDown: KeyboardEventHandler<HTMLElement>
  onClose: () => void
  /** Called when it is gone: moves the focus. */
  onClosed: () => void
  children: ReactNode
}

/** A place beside a button. Loaded on intent. */
export function Popover({ id, labelledBy, trigger, onKeyDown, onClose, onClosed, children }: PopoverProps) {
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Anchor virtualRef={{ current: trigger }} />
      <Layer Portal={Portal}>
        <Content
          id={id}
          className="latchkey-accounts-list"
          aria-labelledby={labelledBy}
          align="start"
          sideOffset={6}
          collisionPadding={8}
          onKeyDown={onKeyDown}
          onInteractOutside={(event) => {
            // A click on the button closes it by itself; a dialog of a connect is still a part of this.
            const target = event.target as Element
            if (trigger.contains(target) || target.closest?.('.latchkey-layer')) event.preventDefault()
          }}
          onEscapeKeyDown={(event) => {
            // A form that is open in here is what is closed first.
            if ((event.target as Element).closest?.('.latchkey-key-form')) event.preventDefault()
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            onClosed()
          }}
        >
          {children}
        </Content>
      </Layer>
    </Root>
  )
}
