// @vitest-environment jsdom
import { afterEach, expect, it } from 'vitest'
import { freshPage } from '../../fixtures/page.ts'
import { openDatabase } from './database.ts'
import { keySeal } from './seal.ts'

afterEach(freshPage)

const CONTEXT = ['latchkey', 'google', 'https://accounts.google.com', 'google.a'].join('\n')

it('opens what it sealed, and never produces the same ciphertext twice', async () => {
  const seal = keySeal(openDatabase('one'))
  const [one, two] = [await seal.seal('Gruß', CONTEXT), await seal.seal('Gruß', CONTEXT)]
  expect(one).not.toBe(two)
  expect(await seal.unseal(one, CONTEXT)).toBe('Gruß')
  expect(await keySeal(openDatabase('one')).unseal(two, CONTEXT)).toBe('Gruß')
})

it('case 55: what was sealed for one provider, issuer, account or person does not open for another', async () => {
  const seal = keySeal(openDatabase('one'))
  const sealed = await seal.seal('secret', CONTEXT)
  const parts = CONTEXT.split('\n')
  for (const at of parts.keys()) {
    const moved = parts.map((part, index) => (index === at ? `${part}x` : part)).join('\n')
    expect(await seal.unseal(sealed, moved)).toBeUndefined()
  }
  expect(await seal.unseal(sealed, CONTEXT)).toBe('secret')
})

it('returns undefined for anything that it did not seal', async () => {
  const seal = keySeal(openDatabase('one'))
  const sealed = await seal.seal('secret', CONTEXT)
  for (const wrong of ['', 'x', '%%%', sealed.slice(0, -4), `${sealed.slice(0, -8)}AAAAAAAA`, btoa('short')])
    expect(await seal.unseal(wrong, CONTEXT)).toBeUndefined()
  expect(await keySeal(openDatabase('two')).unseal(sealed, CONTEXT)).toBeUndefined()
})

it('seals long secrets, as tokens of some services are', async () => {
  const seal = keySeal(openDatabase('one'))
  const long = 'x'.repeat(64 * 1024)
  expect(await seal.unseal(await seal.seal(long, CONTEXT), CONTEXT)).toBe(long)
})

it('opens the database again after another tab had to upgrade it', async () => {
  const database = openDatabase('one')
  await database.change('secrets', 'a', () => 1)
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase('one')
    request.onsuccess = () => resolve()
    request.onblocked = () => reject(new Error('It kept the database open.'))
  })
  expect(await database.get('secrets', 'a')).toBeUndefined()
  expect(await database.add('secrets', 'a', 2)).toBe(true)
  expect(await database.add('secrets', 'a', 3)).toBe(false)
  expect(await database.get('secrets', 'a')).toBe(2)
  await database.change('secrets', 'a', () => undefined)
  expect(await database.get('secrets', 'a')).toBeUndefined()
})
