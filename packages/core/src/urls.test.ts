import { expect, test } from 'vitest'
import { hostKind } from './mcp/host-kind.ts'
import { safeUrl } from './urls.ts'

test.each([
  ['https://api.example/v1', 'https://api.example/v1'],
  ['HTTPS://API.example', 'https://api.example/'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080/'],
  ['http://api.example/', undefined],
  ['https://ada@api.example/', undefined],
  ['https://:secret@api.example/', undefined],
  ['http://ada:secret@127.0.0.1/', undefined],
  ['javascript:alert(1)', undefined],
  ['ftp://127.0.0.1/', undefined],
  ['//api.example', undefined],
  ['api.example', undefined],
  ['', undefined],
  [undefined, undefined],
  [{ href: 'https://api.example' }, undefined],
])('%j as an address of this machine or of https is %j', (value, expected) => {
  expect(safeUrl(value, ({ hostname }) => hostKind(hostname) === 'loopback')?.href).toBe(expected)
})

test('without an own address, http is never allowed', () => {
  expect(safeUrl('http://127.0.0.1/')).toBeUndefined()
  expect(safeUrl('https://127.0.0.1/')?.href).toBe('https://127.0.0.1/')
})
