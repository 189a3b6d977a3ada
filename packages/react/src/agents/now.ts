'use client'
import { useSyncExternalStore } from 'react'
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

/** How long it is until a moment, in words of whole minutes: it is looked at twice a minute. */
export const untilWords = (at: number, now: number, locale: string | undefined) =>
  relativeTime(Math.max(at - now, 60_000), locale)
