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

/** The sentences that {@link errorSentence} chooses from. */
type ErrorMessages = Pick<Messages, 'errors' | 'loadFailed' | 'appUnreachable' | 'appProblem' | 'offline'>

/**
 * What to tell a person about an error: who failed, and what to do. Without a sentence for its code, the error's own
 * message.
 *
 * @param messages what `useMessages` returns.
 * @param name the provider's name.
 */
export function errorSentence(messages: ErrorMessages, error: LatchkeyError, name: string): string {
  const isNetwork = error.code === 'network'
  if (isNetwork && navigator.onLine === false) return messages.offline(name)
  if (error.next === 'reload') return messages.loadFailed
  if (error.source === 'app') return isNetwork ? messages.appUnreachable : messages.appProblem
  return messages.errors[error.code]?.(name) ?? error.message
}
