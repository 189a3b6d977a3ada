// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest'
import { eventually, freshPage, visitCallback } from '../../fixtures/page.ts'
import { listen } from './popup.ts'

afterEach(freshPage)

/** A state: 43 characters. */
const stateOf = (name: string) => name.padEnd(43, '-')

it('first removes the code from the address, passes the query on, and closes when it is acknowledged', async () => {
  const query = `?code=c&state=${stateOf('s1')}&error_description=%3Cimg%20src%3Dx%3E`
  const heard = new Promise<string>((resolve) => listen(stateOf('s1'), resolve))
  const page = visitCallback(query)
  expect(page.address).toEqual(['/callback'])
  expect(await heard).toBe(query)
  await eventually(() => expect(page).toMatchObject({ closed: true, text: 'Done. You can close this window.' }))
})

it('repeats until a page listens', async () => {
  const page = visitCallback(`?code=c&state=${stateOf('s2')}`)
  expect(page.closed).toBe(false)
  // Only now, because the app was still loading.
  const heard = new Promise<string>((resolve) => listen(stateOf('s2'), resolve))
  expect(await heard).toBe(`?code=c&state=${stateOf('s2')}`)
  await eventually(() => expect(page.closed).toBe(true))
})

it('tells the person what to do if no page listens for ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearInterval', 'clearTimeout'] })
  const page = visitCallback(`?code=c&state=${stateOf('s3')}`)
  vi.advanceTimersByTime(9_999)
  expect(page.text).toBe('')
  vi.advanceTimersByTime(1)
  expect(page).toMatchObject({ closed: false, text: 'Return to the app in this browser.' })
})

it('stores the response of a redirect flow in the record of that flow only', () => {
  const flow = { provider: 'a', mode: 'redirect', returnTo: '/chat?x=1' }
  sessionStorage.setItem(`latchkey:flow:${stateOf('s4')}`, JSON.stringify(flow))
  sessionStorage.setItem(`latchkey:flow:${stateOf('s5')}`, JSON.stringify(flow))
  const page = visitCallback(`?code=c&state=${stateOf('s4')}`, { session: sessionStorage })
  expect(page.replaced).toBe(`${location.origin}/chat?x=1`)
  expect(JSON.parse(sessionStorage.getItem(`latchkey:flow:${stateOf('s4')}`)!)).toEqual({
    ...flow,
    response: `?code=c&state=${stateOf('s4')}`,
  })
  expect(JSON.parse(sessionStorage.getItem(`latchkey:flow:${stateOf('s5')}`)!)).toEqual(flow)
})

it('works if sessionStorage contains garbage or is forbidden', async () => {
  const sessions = [
    { getItem: () => 'garbage', setItem: () => {} },
    {
      getItem: () => {
        throw new Error('denied')
      },
      setItem: () => {},
    },
  ]
  for (const [at, session] of sessions.entries()) {
    const heard = new Promise<string>((resolve) => listen(stateOf(`s6${at}`), resolve))
    visitCallback(`?code=c&state=${stateOf(`s6${at}`)}`, { session })
    expect(await heard).toContain('code=c')
  }
})
