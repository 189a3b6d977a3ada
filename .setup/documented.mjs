// `node .setup/documented.mjs`: every export of every entry point has a sentence of documentation, and every path that
// CONTRIBUTING.md and .setup/README.md name is there; fails on one that is not. `--members` lists members of public types
// too, without failing.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

const root = path.join(import.meta.dirname, '..')
const members = process.argv.includes('--members')

/** The source files of a package's entry points. */
function entryFiles(folder) {
  const { exports } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return Object.values(exports)
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => globSync(file, { cwd: folder }).map((found) => path.join(folder, found)))
    .filter((file) => !/\.(test|stories)\./.test(file))
}

/** The text before the statement that exports a symbol by `export * as`. */
function leading(symbol) {
  const statement = symbol.declarations[0].parent
  return statement.getFullText().slice(0, statement.getLeadingTriviaWidth())
}

let count = 0
const bare = []
for (const name of readdirSync(path.join(root, 'packages'))) {
  const folder = path.join(root, 'packages', name)
  const config = path.join(folder, 'tsconfig.json')
  if (!existsSync(config)) throw new Error(`${config} is not there`)
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(config, ts.sys.readFile).config, ts.sys, folder)
  const program = ts.createProgram(entryFiles(folder), options)
  const checker = program.getTypeChecker()
  const documented = (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() !== ''
  const seen = new Set()
  for (const file of entryFiles(folder)) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file))
    for (const exported of module ? checker.getExportsOfModule(module) : []) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const [declaration] = symbol.declarations ?? []
      // What another package documents is that package's to document.
      if (!declaration || seen.has(symbol) || !declaration.getSourceFile().fileName.startsWith(`${folder}/src/`))
        continue
      seen.add(symbol)
      const check = (one, title) => {
        const [at] = one.declarations ?? []
        if (!at || documented(one)) return
        const source = at.getSourceFile()
        const { line } = source.getLineAndCharacterOfPosition(at.getStart())
        bare.push({ title: `${name} ${title}`, at: `${path.relative(root, source.fileName)}:${line + 1}` })
      }
      count++
      // A namespace is a whole file: its sentence stands where it is exported.
      const namespace = symbol.flags & ts.SymbolFlags.ValueModule
      if (!namespace || !/\/\*\*[^/]+\*\/\s*$/.test(leading(exported))) check(symbol, exported.name)
      // The parts of a namespace of components are public by their own names.
      if (namespace) {
        for (const part of checker.getExportsOfModule(symbol)) {
          count++
          check(
            part.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(part) : part,
            `${exported.name}.${part.name}`,
          )
        }
      }
      if (!members) continue
      for (const [, member] of symbol.members ?? []) {
        if (member.flags & (ts.SymbolFlags.Property | ts.SymbolFlags.Method))
          check(member, `  ${exported.name}.${member.name}`)
      }
    }
  }
}

/** Paths in a guide: in backticks with a slash in them, or first on a line of a block. */
function namedPaths(guide) {
  const text = readFileSync(path.join(root, guide), 'utf8')
  const [block = ''] = /(?<=^```\n)[^`]*(?=^```$)/m.exec(text) ?? []
  const spans = [...text.replace(block, '').matchAll(/`([.\w*-]+\/[.\w/*-]+)`/g)].map(([, span]) => span)
  return [...spans, ...block.split('\n').flatMap((line) => line.split(' ', 1))].filter(Boolean)
}
const lost = ['CONTRIBUTING.md', '.setup/README.md'].flatMap((guide) => {
  const named = namedPaths(guide)
  if (named.length === 0) throw new Error(`${guide} names no path`)
  return named.filter((one) => globSync(one, { cwd: root }).length === 0).map((one) => `${guide}: no ${one}`)
})
for (const line of lost) console.log(line)

for (const { title, at } of bare) console.log(`${at} ${title}`)
console.log(`${bare.length} of ${count} exports have no documentation`)
process.exitCode = count === 0 || lost.length > 0 || (bare.length > 0 && !members) ? 1 : 0
