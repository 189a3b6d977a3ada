'use client'
import { useSyncExternalStore } from 'react'
import type { AgentMessages } from '../messages/agents.ts'
import { relativeTime } from '../ui/relative-time.ts'

const PACE = 30_000

const watchers = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined
let moment = 0

function subscribe(notify: () => void) {
  watchers.add(notify)
  timer ??= setInterval(() => {
    moment = Date.now()
    for (const one of [...watchers]) one()
  }, PACE)
  return () => {
    watchers.delete(notify)
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

function read() {
  const now = Date.now()
  // It moves in steps, so that reading it twice is reading the same.
  if (Math.abs(now - moment) >= PACE) moment = now
  return moment
}

/** The time in milliseconds since the epoch, at most half a minute old. 0 on a server. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, read, () => 0)
}

const days = new Map<string | undefined, [today: Intl.DateTimeFormat, later: Intl.DateTimeFormat]>()

/** A moment of the next 24 hours on the clock: "14:30", or "Sunday 14:30" if it is not today. */
export function clockWords(at: number, now: number, locale: string | undefined): string {
  let formats = days.get(locale)
  if (!formats) {
    const time = { hour: 'numeric', minute: '2-digit' } as const
    formats = [new Intl.DateTimeFormat(locale, time), new Intl.DateTimeFormat(locale, { ...time, weekday: 'long' })]
    days.set(locale, formats)
  }
  const [today, later] = formats
  return (new Date(at).toDateString() === new Date(now).toDateString() ? today : later).format(at)
}

/** A moment as a date with a time, or as a time of today. */
export function momentWords({ today }: Pick<AgentMessages, 'today'>, at: string, locale: string | undefined): string {
  const moment = new Date(at)
  const isToday = moment.toDateString() === new Date().toDateString()
  const format = new Intl.DateTimeFormat(locale, { ...(!isToday && { dateStyle: 'long' }), timeStyle: 'short' })
  return isToday ? today(format.format(moment)) : format.format(moment)
}

/** How long it is until a moment, in words of whole minutes: it is looked at twice a minute. */
export const untilWords = (at: number, now: number, locale: string | undefined) =>
  relativeTime(Math.max(at - now, 60_000), locale)

/** How long ago a moment was, in words of whole minutes. */
export const agoWords = (at: number, now: number, locale: string | undefined) =>
  relativeTime(now - at < 60_000 ? 0 : at - now, locale)
