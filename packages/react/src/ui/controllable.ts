'use client'
import { useCallback, useState } from 'react'

/**
 * A state that the app may hold: with a `value` it is the app's and changes only through `onChange`, without one it is
 * the component's own and starts as `initial`.
 */
export function useControllable<T>(
  value: T | undefined,
  initial: T,
  onChange: ((next: T) => void) | undefined,
): readonly [T, (next: T) => void] {
  const [own, setOwn] = useState(initial)
  const set = useCallback(
    (next: T) => {
      setOwn(next)
      onChange?.(next)
    },
    [onChange],
  )
  return [value ?? own, set]
}
