'use client'
import type { Provider } from '@latchkey/core'
import { useKit } from './hooks.ts'
import { english } from './messages/en.ts'
import type { FirstMessages, MessageOverrides, Messages } from './messages/messages.ts'

const merged = new WeakMap<MessageOverrides, FirstMessages>()

/** Sentences in place of others, by name; in groups of sentences, member by member. */
export function layOver(base: object, own: object): object {
  const groups = Object.entries(base)
    .filter(([, words]) => typeof words === 'object')
    .map(([name, words]) => [name, { ...words, ...(own as Record<string, object>)[name] }])
  return { ...base, ...own, ...Object.fromEntries(groups) }
}

/** The sentences of the first load, with an app's own ones in their place. The same object for the same words. */
export function withEnglish(overrides: MessageOverrides | undefined): FirstMessages {
  if (!overrides) return english
  let messages = merged.get(overrides)
  if (!messages) {
    // Words of an unknown language are not said to be English.
    messages = layOver({ ...english, locale: undefined }, overrides) as FirstMessages
    merged.set(overrides, messages)
  }
  return messages
}

/**
 * The words that the components show at first sight: English, with the `messages` of the nearest `LatchkeyProvider` in
 * place of it.
 */
export function useFirstMessages(): FirstMessages {
  return withEnglish(useKit().messages)
}

/** The attributes that tell of the words' language: for the outermost element of a component. */
export function useLanguage(): { lang: string | undefined; dir: 'ltr' | 'rtl' | undefined } {
  const { locale, dir } = useFirstMessages()
  return { lang: locale?.split('-', 1)[0], dir }
}

/** What a provider says of itself, in the words to use here. */
export function descriptionOf(messages: Pick<Messages, 'providers'>, provider: Provider): string | undefined {
  return messages.providers[provider.id]?.description ?? provider.description
}

/** What a scope means, in the words to use here; the scope's own name where the provider has no words for it. */
export function meaningOf(messages: Pick<Messages, 'providers'>, provider: Provider, scope: string): string {
  const meanings = provider.kind === 'api-key' ? undefined : provider.scopeMeanings
  return messages.providers[provider.id]?.scopes?.[scope] ?? meanings?.[scope]?.label ?? scope
}
