// `node .setup/documented.mjs`: every export of every entry point has a sentence of documentation. Fails on one that has
// none and is not in undocumented.txt, the debt of before this rule: that list only gets shorter. `--list` writes it anew.
// `--members` lists members of public types too, without failing.
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

const root = path.join(import.meta.dirname, '..')
const debt = path.join(import.meta.dirname, 'undocumented.txt')
const members = process.argv.includes('--members')

/** The source files of a package's entry points. */
function entryFiles(folder) {
  const { exports } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return Object.values(exports)
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => globSync(file, { cwd: folder }).map((found) => path.join(folder, found)))
    .filter((file) => !/\.(test|stories)\./.test(file))
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
        if (!at || ts.displayPartsToString(one.getDocumentationComment(checker)).trim() !== '') return
        const source = at.getSourceFile()
        const { line } = source.getLineAndCharacterOfPosition(at.getStart())
        bare.push({ key: `${name} ${title}`, at: `${path.relative(root, source.fileName)}:${line + 1}` })
      }
      count++
      check(symbol, exported.name)
      // The parts of a namespace of components are public by their own names.
      if (symbol.flags & ts.SymbolFlags.ValueModule) {
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
if (process.argv.includes('--list'))
  writeFileSync(
    debt,
    bare
      .map(({ key }) => `${key}\n`)
      .sort()
      .join(''),
  )
const known = new Set(existsSync(debt) ? readFileSync(debt, 'utf8').split('\n') : [])
const fresh = bare.filter(({ key }) => !known.has(key))
for (const { key, at } of members ? bare : fresh) console.log(`${at} ${key}`)
console.log(`${bare.length} of ${count} exports have no documentation, ${fresh.length} of them new`)
process.exitCode = count === 0 || (fresh.length > 0 && !members) ? 1 : 0
