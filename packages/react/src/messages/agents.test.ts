import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { words as arabic } from './agents.ar.lazy.ts'
import { words as german } from './agents.de.lazy.ts'
import { words as spanish } from './agents.es.lazy.ts'
import { words as french } from './agents.fr.lazy.ts'
import { words as japanese } from './agents.ja.lazy.ts'
import { type AgentMessages, agentEnglish } from './agents.ts'

const NAMES = ['Zoe', 'octocat']

/** Every sentence by its key, with the same names and numbers. */
function sentences(catalogue: AgentMessages): Record<string, string> {
  const say = (key: string, words: unknown): [string, string][] => {
    if (typeof words === 'string') return [[key, words]]
    if (typeof words === 'function') return [[key, words(...(/Count|more|receipt/.test(key) ? [7] : NAMES))]]
    return Object.entries(words as object).flatMap(([name, inner]) => say(`${key}.${name}`, inner))
  }
  return Object.fromEntries(Object.entries(catalogue).flatMap(([key, words]) => say(key, words)))
}

const inEnglish = sentences(agentEnglish)

describe.each([
  ['Arabic', arabic, /[a-z]/i],
  ['German', german, undefined],
  ['Spanish', spanish, undefined],
  ['French', french, undefined],
  ['Japanese', japanese, /[a-z]/i],
] as const)('%s', (_language, catalogue, foreign) => {
  const said = sentences(catalogue)

  test('has every sentence about agents that English has, and no more', () => {
    expect(Object.keys(said).sort()).toEqual(Object.keys(inEnglish).sort())
    expect(Object.entries(said).filter(([, sentence]) => !sentence.trim())).toEqual([])
  })

  test('uses the same names, and no word of another language', () => {
    for (const [key, sentence] of Object.entries(inEnglish))
      for (const name of NAMES)
        expect([key, name, said[key]?.includes(name)]).toEqual([key, name, sentence.includes(name)])
    const words = /(?<!\p{L})(the|your|you|not|with|this|and|of|to|is|from|account|asks|allow)(?!\p{L})/iu
    expect(Object.entries(said).filter(([, sentence]) => words.test(sentence))).toEqual([])
    const terms = /Zoe|octocat|CSV|JSON( Lines)?/g
    if (foreign) expect(Object.entries(said).filter(([, text]) => foreign.test(text.replace(terms, '')))).toEqual([])
  })

  // What a person reads on a button is what they say to it.
  test('a name of a button has the word that is on it', () => {
    const short = Object.keys(said).filter((key) => key.endsWith('Short') && said[key.slice(0, -5)])
    expect(short).toEqual(['changeShort', 'endShort', 'stopShort', 'startShort', 'lendShort'])
    const plain = (text = '') => text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    expect(short.filter((key) => !plain(said[key.slice(0, -5)]).includes(plain(said[key]).trim()))).toEqual([])
  })
})

// The panel and what it says of agents are on one page.
test.each([
  ['German', 'de', /(?<!\p{L})(du|dein\p{L}*|dir(?!:)|dich|euch)(?!\p{L})/iu],
  ['French', 'fr', /(?<!\p{L})(tu|toi|ton|tes)(?!\p{L})/iu],
  ['Spanish', 'es', /(?<!\p{L})(usted|ustedes)(?!\p{L})/iu],
])('%s addresses the person in one way', (_language, code, other) => {
  const lines = [`${code}.ts`, `agents.${code}.lazy.ts`].flatMap((file) =>
    readFileSync(path.join(import.meta.dirname, file), 'utf8').split('\n'),
  )
  expect(lines.length).toBeGreaterThan(500)
  expect(lines.filter((line) => other.test(line))).toEqual([])
})

test('French keeps its punctuation on the line', () => {
  const breaks = Object.values(sentences(french)).filter((text) => / :|«(?!\u00A0)|(?<!\u00A0)[?!;»:]/.test(text))
  expect(breaks).toEqual([])
})

test('counts in the plural forms of the language', () => {
  expect([1, 2].map(agentEnglish.exceptionCount)).toEqual(['1 exception', '2 exceptions'])
  expect([1, 2].map(german.exceptionCount)).toEqual(['1 Ausnahme', '2 Ausnahmen'])
  expect([1, 2, 3].map(arabic.exceptionCount)).toEqual([
    'استثناء واحد',
    'استثناءان',
    expect.stringMatching(/استثناءات$/),
  ])
})
