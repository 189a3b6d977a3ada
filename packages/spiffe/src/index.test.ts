import { expect, it } from 'vitest'
import * as api from './index.ts'
import * as testing from './testing/index.ts'

it('exports these names', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot()
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot()
})
