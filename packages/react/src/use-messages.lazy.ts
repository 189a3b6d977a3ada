'use client'
import { laterEnglish } from './messages/en.lazy.ts'
import type { Messages } from './messages/en.ts'
import { useKit } from './provider.tsx'
import { withEnglish } from './use-messages.ts'

const merged = new WeakMap<object, Messages>()

/** All words to use here, those of the first load too. The same object for the same words. */
export function useLaterMessages(): Messages {
  const { messages } = useKit()
  const first = withEnglish(messages)
  let all = merged.get(first)
  if (!all) {
    all = { ...laterEnglish, ...messages, ...first } as Messages
    merged.set(first, all)
  }
  return all
}
