import { expect, test } from 'vitest'
import { onceLoaded } from './once-loaded.ts'

test.each([
  'Failed to fetch dynamically imported module: https://app.example/assets/connect.js',
  'error loading dynamically imported module: https://app.example/assets/connect.js',
  'Importing a module script failed.',
])('M3: code that did not come is an error of the app that asks for a reload: %s', async (message) => {
  const load = onceLoaded(() => Promise.reject(new TypeError(message)))
  await expect(load()).rejects.toMatchObject({ code: 'network', source: 'app', next: 'reload' })
})

test('a fault in code that came stays what it is', async () => {
  const load = onceLoaded(() => Promise.reject(new TypeError('x is undefined')))
  await expect(load()).rejects.toThrow('x is undefined')
})
