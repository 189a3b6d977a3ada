'use client'
import type { LatchkeyError, Provider } from '@latchkey/core'
import { english, type FirstMessages, type MessageOverrides, type Messages } from './messages/en.ts'
import { useKit } from './provider.tsx'

const merged = new WeakMap<MessageOverrides, FirstMessages>()

/** English, with an app's own words in place of it where there are any. The same object for the same words. */
export function withEnglish(overrides: MessageOverrides | undefined): FirstMessages {
  if (!overrides) return english
  let messages = merged.get(overrides)
  if (!messages) {
    const groups = ['status', 'reasons', 'errors', 'custody', 'registrationMethods', 'spoken'] as const
    const own = groups.map((group) => [group, { ...english[group], ...overrides[group] }])
    // Words of an unknown language are not said to be English.
    messages = { ...english, locale: undefined, ...overrides, ...Object.fromEntries(own) } as FirstMessages
    merged.set(overrides, messages)
  }
  return messages
}

/**
 * The words that the components show at first sight: English, with the `messages` of the nearest `LatchkeyProvider` in
 * place of it.
 *
 * @throws Error outside of a LatchkeyProvider.
 */
export function useMessages(): FirstMessages {
  return withEnglish(useKit().messages)
}

/** The attributes that tell of the words' language: for the outermost element of a component. */
export function useLanguage(): { lang: string | undefined; dir: 'ltr' | 'rtl' | undefined } {
  const { locale, dir } = useMessages()
  return { lang: locale?.split('-', 1)[0], dir }
}

/** What a provider says of itself, in the words to use here. */
export function descriptionOf(messages: Pick<Messages, 'providers'>, provider: Provider): string | undefined {
  return messages.providers[provider.id]?.description ?? provider.description
}

/** What a scope means, in the words to use here; the scope's own name where nobody says. */
export function meaningOf(messages: Pick<Messages, 'providers'>, provider: Provider, scope: string): string {
  const meanings = provider.kind === 'api-key' ? undefined : provider.scopeMeanings
  return messages.providers[provider.id]?.scopes?.[scope] ?? meanings?.[scope]?.label ?? scope
}

/**
 * What to tell a person about an error: the sentence of the catalogue for its code, else the error's own message.
 *
 * @param messages what {@link useMessages} returns.
 * @param name the provider's name.
 */
export function errorSentence(messages: Pick<Messages, 'errors'>, error: LatchkeyError, name: string): string {
  return messages.errors[error.code]?.(name) ?? error.message
}
