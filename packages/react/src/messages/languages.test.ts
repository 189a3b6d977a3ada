import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { describe, expect, test } from 'vitest'
import { allMessages } from '../use-messages.ts'
import { arabic } from './ar.ts'
import { german } from './de.ts'
import { spanish } from './es.ts'
import { french } from './fr.ts'
import { japanese } from './ja.ts'
import type { Messages } from './messages.ts'

const NAMES = ['GitHub', 'octocat', 'hubot']
const SETTINGS = ['locale', 'dir', 'providers']

/** Every sentence by its key, with the same names and numbers. */
function sentences(catalogue: Messages): Record<string, string> {
  const counted = (key: string) => /found|accountCount|disconnectAllBody|addServerAsk|disconnectedAll/.test(key)
  const say = (key: string, words: unknown): [string, string][] => {
    if (typeof words === 'string') return [[key, words]]
    if (typeof words === 'function') {
      const lists: Record<string, unknown[]> = {
        disconnectOthers: [['octocat', 'hubot']],
      }
      return [[key, words(...(lists[key] ?? (counted(key) ? [3, 7] : NAMES)))]]
    }
    return Object.entries(words as object).flatMap(([name, inner]) => say(`${key}.${name}`, inner))
  }
  const said = Object.entries(catalogue).filter(([key]) => !SETTINGS.includes(key))
  return Object.fromEntries(said.flatMap(([key, words]) => say(key, words)))
}

const inEnglish = sentences(allMessages(undefined))

describe.each([
  ['German', german, 'ltr'],
  ['Arabic', arabic, 'rtl'],
  ['French', french, 'ltr'],
  ['Spanish', spanish, 'ltr'],
  ['Japanese', japanese, 'ltr'],
] as const)('%s', (_language, catalogue, dir) => {
  const said = sentences(catalogue)

  test('has every sentence that English has', () => {
    expect(Object.keys(inEnglish).filter((key) => !said[key]?.trim())).toEqual([])
    expect(catalogue.dir).toBe(dir)
    expect(Intl.getCanonicalLocales(catalogue.locale)).toEqual([catalogue.locale])
  })

  // What a person reads on a button is what they say to it.
  test('M11: a name of a button has the word that is on it', () => {
    const short = Object.keys(said).filter((key) => key.endsWith('Short') && said[key.slice(0, -5)])
    expect(short.length).toBeGreaterThan(10)
    // axe's rule: letters in any case, without punctuation.
    const plain = (text = '') => text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    const wrong = short.filter((key) => !plain(said[key.slice(0, -5)]).includes(plain(said[key]).trim()))
    expect(wrong.map((key) => `${key}: ${said[key]} / ${said[key.slice(0, -5)]}`)).toEqual([])
  })

  test('has no English sentence, and uses the same names', () => {
    for (const [key, sentence] of Object.entries(inEnglish)) {
      // A sentence of names only is the same in every language.
      const ownWords = NAMES.reduce((text, name) => text.replaceAll(name, ''), sentence)
      if (/\p{L}/u.test(ownWords)) expect(said[key], key).not.toBe(sentence)
      for (const name of NAMES) expect([key, said[key]?.includes(name)]).toEqual([key, sentence.includes(name)])
    }
    // None of these is a word of another language here. An accented letter is a letter, as `\b` does not know.
    const words = /(?<!\p{L})(the|your|you|not|with|this|and|of|to|is|from|account|key|window)(?!\p{L})/iu
    expect(Object.entries(said).filter(([, sentence]) => words.test(sentence))).toEqual([])
  })

  test('describes every provider and scope', () => {
    for (const provider of [github(), gmail(), kaggle()]) {
      const own = catalogue.providers[provider.id]
      expect(own?.description).toBeTruthy()
      if (provider.kind !== 'oauth') continue
      expect(Object.keys(own?.scopes ?? {})).toEqual(Object.keys(provider.scopeMeanings))
      const short = Object.entries(provider.scopeMeanings).filter(([, meaning]) => meaning.short)
      expect(Object.keys(own?.short ?? {})).toEqual(short.map(([scope]) => scope))
    }
  })
})

test.each([
  ['Arabic', arabic],
  ['French', french],
  ['Spanish', spanish],
  ['Japanese', japanese],
])('%s has the sentences of German, and no more', (_language, catalogue) => {
  expect(Object.keys(sentences(catalogue)).sort()).toEqual(Object.keys(sentences(german)).sort())
})

test('Japanese is written in Japanese: other scripts only in names and terms', () => {
  const terms = /GitHub|octocat|hubot|API|MCP|URL|JSON|ID|mcpServers|https/g
  const latin = Object.entries(sentences(japanese)).filter(([, words]) => /[a-z]/i.test(words.replace(terms, '')))
  expect(latin).toEqual([])
})

test('French keeps its punctuation on the line', () => {
  const breaks = Object.entries(sentences(french)).filter(([, sentence]) =>
    / :|«(?!\u00A0)|(?<!\u00A0)[?!;»]/.test(sentence),
  )
  expect(breaks).toEqual([])
})

test('French says vous, and Spanish tú', () => {
  const said = (catalogue: Messages) => Object.values(sentences(catalogue)).join(' ')
  expect(said(french)).not.toMatch(/(?<!\p{L})(tu|toi|ton|tes|ta)(?!\p{L})/iu)
  expect(said(spanish)).not.toMatch(/usted|vuestr|(?<!\p{L})(le pedir|su agente|sus cuentas)/iu)
})

test('Arabic is written in Arabic: other scripts only in names and terms', () => {
  const terms = /GitHub|octocat|hubot|API|MCP|URL|JSON|mcpServers|https/g
  const latin = Object.entries(sentences(arabic)).filter(([, sentence]) => /[a-z]/i.test(sentence.replace(terms, '')))
  expect(latin).toEqual([])
})

test('uses the plural forms of the language', () => {
  expect([1, 2].map(german.accountCount)).toEqual(['1 Konto', '2 Konten'])
  expect([0, 1, 2].map(french.accountCount)).toEqual(['0 compte', '1 compte', '2 comptes'])
  expect([0, 1, 2].map(spanish.accountCount)).toEqual(['0 cuentas', '1 cuenta', '2 cuentas'])
  expect([1, 2].map(japanese.accountCount)).toEqual(['1 件のアカウント', '2 件のアカウント'])
  expect([0, 1, 2, 3, 11, 100].map((count) => arabic.accountCount(count).replace(/[\d٠-٩]+ /, '# '))).toEqual([
    'لا حسابات',
    'حساب واحد',
    'حسابان',
    '# حسابات',
    '# حسابًا',
    '# حساب',
  ])
})
