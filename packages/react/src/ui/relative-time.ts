'use client'
import { useCallback, useSyncExternalStore } from 'react'

/** A unit is used from where its rounding ends the smaller one: 59 minutes and 40 seconds are an hour, not 60 minutes. */
const UNITS = [
  ['day', 86_400_000, 1_800_000],
  ['hour', 3_600_000, 30_000],
  ['minute', 60_000, 500],
] as const

const SOON = 120_000

/** Formatters are slow to make and the same for everybody. */
const formats = new Map<string | undefined, Intl.RelativeTimeFormat>()

/** A span from now in words: "in 4 minutes". `milliseconds` are negative for what is past. */
export function relativeTime(milliseconds: number, locale: string | undefined): string {
  let format = formats.get(locale)
  if (!format) {
    format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
    formats.set(locale, format)
  }
  const [unit, size] = UNITS.find((entry) => Math.abs(milliseconds) >= entry[1] - entry[2]) ?? ['second', 1000]
  return format.format(Math.round(milliseconds / size), unit)
}

// One timer for every label of the page. It goes by the second while any label needs seconds, else four times a minute.
const watchers = new Map<() => void, number>()
let timer: ReturnType<typeof setTimeout> | undefined
let pace = 0

function wind() {
  const now = Date.now()
  const seconds = [...watchers.values()].some((at) => Math.abs(at - now) < SOON)
  const next = seconds ? 1000 : 15_000
  if (timer !== undefined && watchers.size > 0 && pace <= next) return
  clearTimeout(timer)
  pace = next
  timer = watchers.size > 0 ? setTimeout(tick, pace) : undefined
}

function tick() {
  timer = undefined
  for (const notify of [...watchers.keys()]) notify()
  wind()
}

/**
 * A moment in words ("in 4 minutes", "2 hours ago"), kept up to date; renders only when the words change. On a server,
 * which knows neither the reader's clock nor language, the moment's date.
 *
 * @param at milliseconds since the epoch; without it the answer is empty and nothing ticks.
 * @param locale a BCP 47 tag. @default the browser's
 */
export function useRelativeTime(at: number | undefined, locale?: string): string {
  const subscribe = useCallback(
    (notify: () => void) => {
      if (at === undefined) return () => {}
      watchers.set(notify, at)
      wind()
      return () => {
        watchers.delete(notify)
        wind()
      }
    },
    [at],
  )
  return useSyncExternalStore(
    subscribe,
    () => (at === undefined ? '' : relativeTime(at - Date.now(), locale)),
    () => (at === undefined ? '' : new Date(at).toISOString().slice(0, 10)),
  )
}
