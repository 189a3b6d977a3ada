import type { ConnectedAccount, Provider } from '@latchkey/core'
import type { Messages } from '../messages/messages.ts'

/**
 * What an account may do that matters, in a few words: "Can read and send email". Undefined where it only reads, and
 * nothing sensitive.
 */
export function abilitiesOf(messages: Messages, provider: Provider, { scopes }: ConnectedAccount) {
  if (provider.kind === 'api-key') return undefined
  const words = messages.providers[provider.id]?.short
  const matters = scopes.filter((scope) => {
    const { access, sensitive } = provider.scopeMeanings[scope] ?? {}
    return sensitive || access === 'write'
  })
  const named = matters.map((scope) => words?.[scope] ?? provider.scopeMeanings[scope]?.short)
  const phrases = [...new Set(named)].filter((phrase) => phrase !== undefined)
  if (phrases.length > 0) return messages.can(listOf(phrases, messages.locale))
  return matters.some((scope) => provider.scopeMeanings[scope]?.access === 'write') ? messages.canChange : undefined
}

/** Phrases as a list, with the words that all begin or end with said once: "read email", "send email". */
function listOf(phrases: readonly string[], locale: string | undefined): string {
  const split = phrases.map((phrase) => phrase.split(' '))
  const [first = []] = split
  const least = Math.min(...split.map(({ length }) => length)) - 1
  const isShared = (at: number) => split.every((words) => words.at(at) === first.at(at))
  let head = 0
  while (head < least && isShared(head)) head++
  let tail = 0
  while (tail < least - head && isShared(-1 - tail)) tail++
  const own = split.map((words) => words.slice(head, words.length - tail).join(' '))
  const list = new Intl.ListFormat(locale).format(own)
  return [...first.slice(0, head), list, ...first.slice(first.length - tail)].join(' ')
}
