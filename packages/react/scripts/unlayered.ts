// Writes dist/*.unlayered.css: the styles for apps whose own resets are in no layer, as those of Tailwind 3, Bootstrap
// and normalize.css are. Rules of a layer lose to any rule outside of one, so here they are in none, and each counts a
// class more. Variables count nothing: an app's own values win, whatever it imports first.
import { readFileSync, writeFileSync } from 'node:fs'
import postcss, { type ChildNode, type Rule } from 'postcss'
import parser, { type Selector } from 'postcss-selector-parser'

const raise = parser((selectors) => selectors.each(raised))

/** The style sheet without its layers. */
export function unlayered(css: string): string {
  const root = postcss.parse(css)
  root.walkAtRules('layer', (layer) => void layer.replaceWith(layer.nodes ?? []))
  root.walkRules((rule) => {
    // What is nested counts what is around it.
    if (!isNested(rule)) rule.selector = raise.processSync(rule.selector)
  })
  return root.toString()
}

function isNested({ parent }: Rule): boolean {
  for (let around = parent as ChildNode['parent']; around; around = around.parent as ChildNode['parent'])
    if (around.type === 'rule') return true
  return false
}

function raised(selector: Selector): void {
  const setsVariables = selector.every(({ type }) => type === 'pseudo' || type === 'attribute')
  const element = selector.nodes.find(({ value }) => value?.startsWith('::') === true)
  const oneClassMore = parser.pseudo({ value: ':not(._)' })
  if (setsVariables) selector.replaceWith(parser.pseudo({ value: `:where(${selector})` }))
  else if (element) selector.insertBefore(element, oneClassMore)
  else selector.append(oneClassMore)
}

if (import.meta.main) {
  for (const name of ['styles', 'oversight']) {
    const from = new URL(`../src/${name}.css`, import.meta.url)
    const to = new URL(`../dist/${name}.unlayered.css`, import.meta.url)
    writeFileSync(to, unlayered(readFileSync(from, 'utf8')))
  }
}
