'use client'
import { type ComponentPropsWithoutRef, forwardRef } from 'react'

type ButtonProps = ComponentPropsWithoutRef<'button'> & {
  /** @default secondary */
  kind?: 'primary' | 'secondary' | 'quiet' | 'danger'
  /** @default medium */
  size?: 'small'
  /** Called when a pointer or the focus comes, and at the click: loads what the button opens. */
  onIntent?: () => void
}

/** A button of ours. It submits no form unless it says so. */
export const Button = /* @__PURE__ */ forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { kind = 'secondary', size, className, onIntent, onClick, ...props },
  ref,
) {
  return (
    <button
      type="button"
      onPointerEnter={onIntent}
      onFocus={onIntent}
      {...props}
      ref={ref}
      className={classes('latchkey-button', className)}
      data-kind={kind}
      data-size={size}
      onClick={(event) => {
        onIntent?.()
        onClick?.(event)
      }}
    />
  )
})

/** The button with three dots: there is more. */
export const MoreButton = /* @__PURE__ */ forwardRef<HTMLButtonElement, ButtonProps>(function MoreButton(props, ref) {
  return (
    <Button {...props} ref={ref} className="latchkey-dots" data-slot="more" kind="quiet">
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M3 8h0m5 0h0m5 0h0" />
      </svg>
    </Button>
  )
})

/** Class names in one string. */
export const classes = (...names: (string | undefined)[]) => names.filter(Boolean).join(' ')

interface SmallButtonProps {
  label: string
  /** Its accessible name. @default the label */
  name?: string
  /** @default secondary */
  kind?: ButtonProps['kind']
  className?: string
  onPress: () => void
}

/** A small button with a word, beside a sentence that it answers. */
export function SmallButton({ label, name, onPress, ...look }: SmallButtonProps) {
  return (
    <Button {...look} size="small" aria-label={name} onClick={onPress}>
      {label}
    </Button>
  )
}
