import type { Browser } from 'playwright'
import { startApp, startAuthorizationServer } from './lab.ts'
import type { Lab } from './page.ts'

declare const lab: Lab

export interface Reads {
  /** Microseconds per call, by round. */
  floor: number[]
  token: number[]
  /** Median of the rounds' ratios. */
  ratio: number
  /** Calls of localStorage, sessionStorage, IndexedDB and fetch while tokens were read. */
  touched: number
}

/** Compares getToken, with a valid token, with an awaited read of a Map, in alternating rounds. */
export async function read(browser: Browser, { rounds = 21, calls = 100_000 } = {}): Promise<Reads> {
  const app = await startApp()
  const server = await startAuthorizationServer()
  const page = await browser.newPage()
  try {
    await page.goto(app.at(server.origin))
    await page.getByRole('button', { name: 'Connect Lab' }).click()
    await page.locator('body[data-status=connected]').waitFor()
    const measured = await page.evaluate(
      async ({ rounds, calls }) => {
        let touched = 0
        const count = (target: object, name: string) => {
          const real = Reflect.get(target, name)
          Reflect.set(target, name, function (this: unknown, ...args: unknown[]) {
            touched++
            return real.apply(this, args)
          })
        }
        for (const name of ['getItem', 'setItem', 'removeItem', 'key']) count(Storage.prototype, name)
        for (const name of ['transaction']) count(IDBDatabase.prototype, name)
        count(indexedDB, 'open')
        count(globalThis, 'fetch')

        const map = new Map([['lab', { token: await lab.client.getToken('lab') }]])
        const fromMap = async (id: string) => map.get(id)?.token
        const time = async (one: () => Promise<unknown>) => {
          const from = performance.now()
          for (let call = 0; call < calls; call++) await one()
          return ((performance.now() - from) * 1000) / calls
        }
        const contestants = { floor: () => fromMap('lab'), token: () => lab.client.getToken('lab') }
        // Once to warm up.
        for (const one of Object.values(contestants)) await time(one)
        touched = 0
        const floor: number[] = []
        const token: number[] = []
        for (let round = 0; round < rounds; round++) {
          const order = round % 2 ? (['floor', 'token'] as const) : (['token', 'floor'] as const)
          for (const name of order) (name === 'floor' ? floor : token).push(await time(contestants[name]))
        }
        return { floor, token, touched }
      },
      { rounds, calls },
    )
    const ratios = measured.token.map((value, round) => value / (measured.floor[round] ?? Number.NaN))
    return { ...measured, ratio: median(ratios) }
  } finally {
    await page.close()
    await Promise.all([app.close(), server.close()])
  }
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
