'use client'
import type { LatchkeyError } from '@latchkey/core'
import { useKit } from './hooks.ts'
import { laterEnglish } from './messages/en.lazy.ts'
import type { FirstMessages, MessageOverrides, Messages } from './messages/messages.ts'
import { layOver, withEnglish } from './use-first-messages.ts'

const merged = new WeakMap<FirstMessages, Messages>()

/** All sentences: English, with an app's own ones in place of it. The same object for the same words. */
export function allMessages(overrides: MessageOverrides | undefined): Messages {
  const first = withEnglish(overrides)
  let all = merged.get(first)
  if (!all) {
    all = layOver(laterEnglish, first) as Messages
    merged.set(first, all)
  }
  return all
}

/**
 * The words of the components: English, with the `messages` of the nearest `LatchkeyProvider` in place of it.
 *
 * @throws Error outside of a LatchkeyProvider.
 */
export function useMessages(): Messages {
  return allMessages(useKit().messages)
}

/**
 * What to tell a person about an error: the sentence of the catalogue for its code, else the error's own message.
 *
 * @param messages what `useMessages` returns.
 * @param name the provider's name.
 */
export function errorSentence(messages: Pick<Messages, 'errors'>, error: LatchkeyError, name: string): string {
  return messages.errors[error.code]?.(name) ?? error.message
}
