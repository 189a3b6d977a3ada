'use client'
import { accountsOf, type Provider } from '@latchkey/core'
import { startTransition, useDeferredValue, useEffect, useId, useMemo, useRef } from 'react'
import { useLatchkey } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { useControllable } from '../ui/controllable.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { descriptionOf } from '../use-first-messages.ts'
import { useMessages } from '../use-messages.ts'

/** Without case and accents. */
const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

export interface ProviderSearchProps {
  providers: readonly Provider[]
  query: string | undefined
  defaultQuery: string | undefined
  onQueryChange: ((query: string) => void) | undefined
  /** Called with the providers that match, or undefined while everything does. */
  onFound: (found: ReadonlySet<Provider> | undefined) => void
  /** Id of what it narrows down. */
  controls: string
}

/**
 * The search box over many providers, with how many it leaves. Escape clears it. A module of its own: a panel of few
 * providers does not load it.
 */
export function ProviderSearch(props: ProviderSearchProps) {
  const { providers, query: givenQuery, defaultQuery = '', onQueryChange, onFound, controls } = props
  const client = useLatchkey()
  const messages = useMessages()
  const announce = useAnnounce()
  const [query, setQuery] = useControllable(givenQuery, defaultQuery, onQueryChange)
  const box = useRef<HTMLInputElement>(null)
  const countId = useId()
  // The box shows what is typed at once; the cards follow when there is time.
  const wanted = useDeferredValue(query.trim())
  const found = useMemo(() => {
    if (!wanted) return undefined
    const words = plain(wanted).split(/\s+/)
    // By its own words, or its accounts' names.
    const matches = (provider: Provider) => {
      const accounts = accountsOf(client.getSnapshot(), provider.id)
      const names = accounts.flatMap(({ label, name, username, email }) => [label, name, username, email])
      const text = plain([provider.name, provider.id, descriptionOf(messages, provider), ...names].join(' '))
      return words.every((word) => text.includes(word))
    }
    return new Set(providers.filter(matches))
  }, [client, messages, providers, wanted])
  useEffect(() => {
    startTransition(() => onFound(found))
    if (!found) return
    // Said when typing rests.
    const rest = setTimeout(() => announce(messages.spoken.found(found.size)), 400)
    return () => clearTimeout(rest)
  }, [found, onFound, announce, messages])
  // Without the box all cards are there.
  useEffect(() => () => onFound(undefined), [onFound])
  const clear = () => {
    setQuery('')
    box.current?.focus()
  }
  return (
    <>
      <div className="latchkey-search">
        <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
          <circle cx="7" cy="7" r="4.2" />
          <path d="m10.2 10.2 3.3 3.3" strokeLinecap="round" />
        </svg>
        <input
          ref={box}
          type="search"
          className="latchkey-input"
          aria-label={messages.search}
          aria-controls={controls}
          aria-describedby={countId}
          placeholder={messages.search}
          autoComplete="off"
          spellCheck={false}
          value={query}
          onChange={({ currentTarget }) => setQuery(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape' || !query) return
            // A dialog around the panel stays: this Escape was for the box.
            event.preventDefault()
            event.stopPropagation()
            clear()
          }}
        />
        <span id={countId} className="latchkey-count">
          {/* English beside Arabic keeps the order of its numbers. */}
          {found && <bdi>{messages.found(found.size, providers.length)}</bdi>}
        </span>
      </div>
      {found?.size === 0 && (
        <div className="latchkey-empty">
          <p>{messages.noMatch(wanted)}</p>
          <SmallButton label={messages.clearSearch} onPress={clear} />
        </div>
      )}
    </>
  )
}
