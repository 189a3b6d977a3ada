'use client'
import type { Custody } from '@latchkey/core'
import { Anchor, Content, Portal, Root } from '@radix-ui/react-popover'
import type { RefObject } from 'react'
import { Layer } from '../parts/layer.tsx'
import { isFocusLost } from '../ui/kept-focus.lazy.ts'
import { useMessages } from '../use-messages.ts'

interface CustodyInfoProps {
  custody: Custody
  /** The button that opened it: what it stands beside, and where the focus goes back to. */
  trigger: RefObject<HTMLElement | null>
  onClose: () => void
}

/** What it means for a person where their tokens and keys are stored. Loaded on intent. */
export function CustodyInfo({ custody, trigger, onClose }: CustodyInfoProps) {
  const messages = useMessages()
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Anchor virtualRef={trigger as RefObject<HTMLElement>} />
      <Layer Portal={Portal}>
        <Content
          className="latchkey-info"
          data-slot="info"
          aria-label={messages.custodyMore}
          align="end"
          sideOffset={4}
          collisionPadding={8}
          onInteractOutside={(event) => {
            // A click on the button closes it by itself.
            if (trigger.current?.contains(event.target as Node)) event.preventDefault()
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (isFocusLost()) trigger.current?.focus()
          }}
        >
          {messages.custodyInfo[custody]}
        </Content>
      </Layer>
    </Root>
  )
}
