'use client'
import { type ComponentPropsWithoutRef, forwardRef } from 'react'

type ButtonProps = ComponentPropsWithoutRef<'button'> & {
  /** @default secondary */
  kind?: 'primary' | 'secondary' | 'quiet' | 'danger'
  /** @default medium */
  size?: 'small'
}

/** A button of ours. It submits no form unless it says so. */
export const Button = /* @__PURE__ */ forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { kind = 'secondary', size, className = '', ...props },
  ref,
) {
  const classes = `latchkey-button ${className}`.trim()
  return <button type="button" {...props} ref={ref} className={classes} data-kind={kind} data-size={size} />
})
