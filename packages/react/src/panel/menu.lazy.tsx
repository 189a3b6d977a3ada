'use client'
import { Anchor, Content, Item, Portal, Root, Separator } from '@radix-ui/react-menu'
import { type RefObject, useRef } from 'react'
import { Layer } from '../parts/layer.tsx'
import { isFocusLost } from '../ui/kept-focus.lazy.ts'
import { useFirstMessages } from '../use-first-messages.ts'

/** What a row has opened: its menu, or the question before something ends. */
export type Opened = 'menu' | 'question' | undefined

/** What a menu offers. */
export interface Choice {
  label: string
  /** Its accessible name. @default the label */
  name?: string
  /** It ends something: it is set apart from the others. */
  ends?: boolean
  /** Called in the click, where a window may be opened. */
  choose?: () => void
  /** Called when the menu is gone and the focus is back on its button: for what takes the focus itself. */
  after?: () => void
}

interface MenuProps {
  /** The button that opened it: what it stands beside. */
  trigger: RefObject<HTMLElement | null>
  label: string
  choices: readonly Choice[]
  onClose: () => void
  /** Called when it is gone, unless the focus is elsewhere by then: moves the focus. */
  onClosed: () => void
}

/**
 * An open menu. Loaded on intent.
 *
 * @see https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/
 */
export function Menu({ trigger, label, choices, onClose, onClosed }: MenuProps) {
  const { dir } = useFirstMessages()
  const chosen = useRef<Choice>(undefined)
  const entered = useRef(false)
  return (
    <Root open modal={false} dir={dir} onOpenChange={(open) => !open && onClose()}>
      <Anchor virtualRef={trigger as RefObject<HTMLElement>} />
      <Layer Portal={Portal}>
        <Content
          className="latchkey-menu"
          data-slot="menu"
          aria-label={label}
          align="end"
          sideOffset={4}
          collisionPadding={8}
          loop
          onFocus={({ currentTarget, target }) => {
            // Once: a pointer that leaves the items gives the focus to the list.
            if (entered.current || target !== currentTarget) return
            entered.current = true
            currentTarget.querySelector<HTMLElement>('[role=menuitem]')?.focus({ preventScroll: true })
          }}
          onInteractOutside={(event) => {
            // A click on the button closes it by itself.
            if (trigger.current?.contains(event.target as Node)) event.preventDefault()
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (isFocusLost()) onClosed()
            chosen.current?.after?.()
          }}
        >
          {choices.map((choice, at) => (
            <MenuChoice
              key={choice.label}
              choice={choice}
              apart={choice.ends && at > 0 && !choices[at - 1]?.ends}
              onChoose={() => {
                chosen.current = choice
                choice.choose?.()
              }}
            />
          ))}
        </Content>
      </Layer>
    </Root>
  )
}

interface MenuChoiceProps {
  choice: Choice
  /** It begins what is set apart. */
  apart: boolean | undefined
  onChoose: () => void
}

function MenuChoice({ choice, apart, onChoose }: MenuChoiceProps) {
  const { label, name, ends } = choice
  return (
    <>
      {apart && <Separator className="latchkey-separator" />}
      <Item className="latchkey-item" aria-label={name} data-ends={ends} onSelect={onChoose}>
        {label}
      </Item>
    </>
  )
}
