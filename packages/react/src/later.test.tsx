// @vitest-environment jsdom
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { useState } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { later } from './later.tsx'
import { LatchkeyProvider } from './provider.tsx'
import { createFakeClient } from './testing.ts'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

const Details = () => <p>Details</p>

function show(load: () => Promise<{ Details: typeof Details }>) {
  const useDetails = later(load, 'Details')
  function Place() {
    const [Details, fetch] = useDetails()
    const [open, setOpen] = useState(false)
    return (
      <>
        <button
          type="button"
          onPointerEnter={fetch}
          onClick={() => {
            fetch()
            setOpen(true)
          }}
        >
          More
        </button>
        {open && Details && <Details />}
      </>
    )
  }
  render(
    <LatchkeyProvider client={createFakeClient()}>
      <Place />
    </LatchkeyProvider>,
  )
}

test('if code cannot be loaded, a message offers to reload, and the next click tries again', async () => {
  const load = vi.fn(() => Promise.reject<{ Details: typeof Details }>(new TypeError('Failed to fetch')))
  show(load)
  await userEvent.hover(screen.getByRole('button', { name: 'More' }))
  expect(screen.queryByRole('alert')).toBeNull()
  await userEvent.click(screen.getByRole('button', { name: 'More' }))
  expect(await screen.findByRole('alert')).toHaveProperty('textContent', expect.stringContaining("couldn't be loaded"))
  expect(screen.getByRole('button', { name: 'Reload' })).toBeTruthy()
  load.mockResolvedValue({ Details })
  await act(() => userEvent.click(screen.getByRole('button', { name: 'More' })))
  expect(await screen.findByText('Details')).toBeTruthy()
  expect(screen.queryByRole('alert')).toBeNull()
})

test('code that one place has loaded is given to the others, also to those that were there before', async () => {
  const useDetails = later(async () => ({ Details }), 'Details')
  function Place({ wanted }: { wanted: boolean }) {
    const [Details] = useDetails(wanted)
    return Details ? <Details /> : null
  }
  const places = (first: boolean, second: boolean) => (
    <>
      <Place wanted={first} />
      <Place wanted={second} />
    </>
  )
  const { rerender } = render(places(false, false))
  rerender(places(true, false))
  expect(await screen.findAllByText('Details')).toHaveLength(1)
  rerender(places(true, true))
  await waitFor(() => expect(screen.getAllByText('Details')).toHaveLength(2))
})

test('code that comes when its window is gone ends nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<{ Details: typeof Details }>()
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  show(() => promise)
  await userEvent.hover(screen.getByRole('button', { name: 'More' }))
  cleanup()
  vi.stubGlobal('window', undefined)
  resolve({ Details })
  await new Promise(setImmediate)
  vi.unstubAllGlobals()
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})
