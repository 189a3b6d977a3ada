// @vitest-environment jsdom
import { act, cleanup, render } from '@testing-library/react'
import { Profiler } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useRelativeTime } from './relative-time.ts'

const NOW = Date.UTC(2026, 2, 14, 9)

function Label({ at, locale }: { at?: number; locale?: string }) {
  return <i>{useRelativeTime(at, locale)}</i>
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

test('many labels share one timer, which stops with the last label', () => {
  const { unmount } = render(
    <>
      <Label at={NOW + 3_600_000} locale="en" />
      <Label at={NOW - 3_600_000} locale="en" />
      <Label at={NOW + 10_000} locale="en" />
      <Label locale="en" />
    </>,
  )
  expect(vi.getTimerCount()).toBe(1)
  unmount()
  expect(vi.getTimerCount()).toBe(0)
})

test('renders only when its text changes', () => {
  const rendered = vi.fn()
  const { container } = render(
    <Profiler id="label" onRender={rendered}>
      <Label at={NOW + 5 * 60_000} locale="en" />
    </Profiler>,
  )
  expect(container.textContent).toBe('in 5 minutes')
  act(() => void vi.advanceTimersByTime(15_000))
  expect(rendered).toHaveBeenCalledTimes(1)
  act(() => void vi.advanceTimersByTime(45_000))
  expect(container.textContent).toBe('in 4 minutes')
  expect(rendered).toHaveBeenCalledTimes(2)
})

test('a label that shows seconds makes the shared timer faster', () => {
  const slow = render(<Label at={NOW + 3_600_000} locale="en" />)
  const quick = render(<Label at={NOW + 30_000} locale="de" />)
  act(() => void vi.advanceTimersByTime(1000))
  expect(quick.container.textContent).toBe('in 29 Sekunden')
  expect(slow.container.textContent).toBe('in 1 hour')
})

test("hydrates the server's HTML: a date that is the same in every time zone and language", async () => {
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => {})
  const container = document.createElement('div')
  container.innerHTML = renderToString(<Label at={NOW + 60_000} locale="en" />)
  expect(container.textContent).toBe('2026-03-14')
  const root = await act(async () => hydrateRoot(container, <Label at={NOW + 60_000} locale="en" />))
  expect(container.textContent).toBe('in 1 minute')
  expect(complaints).not.toHaveBeenCalled()
  act(() => root.unmount())
})
