import path from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { EQUALS, THEIRS } from './agent-runtimes.ts'

const root = path.join(import.meta.dirname, '../..')
const equals = Object.entries(EQUALS)
const names = [...new Set(equals.flatMap(([, { ours }]) => ours))]

/** Where each import of ours begins, as the packages' own `exports` say. */
function entryFile(specifier: string): string {
  const [, name = '', inside = ''] = /^@latchkey\/([^/]+)\/?(.*)$/.exec(specifier) ?? []
  const { exports } = ts.readConfigFile(path.join(root, 'packages', name, 'package.json'), ts.sys.readFile).config
  const direct: string | undefined = exports[inside ? `./${inside}` : '.']
  const pattern: string | undefined = exports[`./${path.dirname(inside)}/*`]?.replace('*', path.basename(inside))
  return path.join(root, 'packages', name, direct ?? pattern ?? 'nowhere')
}

const files = new Map(names.map((name) => name.split(' ')[0] ?? '').map((entry) => [entry, entryFile(entry)]))
const config = ts.readConfigFile(path.join(root, 'tsconfig.base.json'), ts.sys.readFile).config
const { options } = ts.parseJsonConfigFileContent(
  { ...config, files: [], compilerOptions: { ...config.compilerOptions, jsx: 'react-jsx', types: ['node'] } },
  ts.sys,
  root,
)
const program = ts.createProgram([...files.values()], { ...options, lib: ['lib.es2024.d.ts', 'lib.dom.d.ts'] })
const checker = program.getTypeChecker()

/** Whether `name` is exported there, and `name.member` is in it, or in what it returns, or in what it constructs. */
function exists(equal: string): boolean {
  const [entry = '', dotted = ''] = equal.split(' ')
  const [name, member] = dotted.split('.')
  const source = program.getSourceFile(files.get(entry) ?? '')
  const module = source && checker.getSymbolAtLocation(source)
  const exported = module && checker.getExportsOfModule(module).filter((symbol) => symbol.name === name)
  if (!exported?.length) return false
  if (!member) return true
  return exported.some((found) => {
    const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found
    if (symbol.flags & ts.SymbolFlags.Module) {
      if (checker.getExportsOfModule(symbol).some((one) => one.name === member)) return true
    }
    const types: ts.Type[] = []
    if (symbol.flags & ts.SymbolFlags.Type) types.push(checker.getDeclaredTypeOfSymbol(symbol))
    if (symbol.flags & ts.SymbolFlags.Value) {
      const type = checker.getTypeOfSymbol(symbol)
      types.push(type, ...type.getCallSignatures().map((signature) => signature.getReturnType()))
    }
    return types.some((type) =>
      (type.isUnion() ? type.types : [type]).some((one) => checker.getPropertyOfType(one, member) !== undefined),
    )
  })
}

describe('agent-runtimes, name by name', () => {
  it.each(names)('%s exists', (name) => expect(exists(name)).toBe(true))

  it('notices what does not exist', () => {
    expect(exists('@latchkey/react NoSuchThing')).toBe(false)
    expect(exists('@latchkey/react useConnect.noSuchMember')).toBe(false)
    expect(exists('@latchkey/react Account.NoSuchPart')).toBe(false)
    expect(exists('@latchkey/react ConnectButtonProps.noSuchProp')).toBe(false)
  })

  it('has a row for each of their names, and no other', () => {
    const theirs = Object.values(THEIRS).flat()
    expect(new Set(theirs).size).toBe(theirs.length)
    expect(equals.map(([name]) => name).sort()).toEqual([...theirs].sort())
  })

  it('says in one line how', () => {
    for (const [name, { how }] of equals) {
      expect([name, how.length > 0 && how.length <= 120, /\n/.test(how)]).toEqual([name, true, false])
    }
  })
})
