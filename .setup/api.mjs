// `node .setup/api.mjs`: writes each package's public API, as its built declarations have it, to `packages/*/api.txt`.
// With `--check`: says where the files are not what it would write, and fails.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const root = path.join(import.meta.dirname, '..')

/** The declarations of each entry point, by the name that it is imported by. */
function entryPoints(folder) {
  const { name, publishConfig } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return Object.entries(publishConfig.exports).flatMap(([entry, target]) => {
    if (!target.types) return []
    const at = (rest) => [
      path.posix.join(name, entry.replace('*', rest)),
      path.join(folder, target.types.replace('*', rest)),
    ]
    if (!entry.includes('*')) return [at('')]
    return readdirSync(path.join(folder, path.dirname(target.types)))
      .filter((file) => file.endsWith('.d.ts') && file !== 'index.d.ts')
      .sort()
      .map((file) => at(file.slice(0, -'.d.ts'.length)))
  })
}

/** How API Extractor reads one entry point of a package, whose other entry points are `files` too. */
function configFor(folder, declarations, files, scratch) {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2023',
            lib: ['es2024', 'dom', 'dom.iterable'],
            module: 'nodenext',
            moduleResolution: 'nodenext',
            skipLibCheck: true,
            strict: true,
            types: ['node'],
            allowImportingTsExtensions: true,
            noEmit: true,
          },
          files,
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: 'api.api.md',
        reportFolder: scratch,
        reportTempFolder: path.join(scratch, 'temp'),
      },
      newlineKind: 'lf',
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: path.join(folder, 'package.json'),
  })
}

/** The API report of one entry point. */
function report(config, compilerState, scratch) {
  const { succeeded } = Extractor.invoke(config, {
    compilerState,
    localBuild: true,
    showVerboseMessages: false,
    messageCallback: (message) => {
      message.handled = message.messageId.startsWith('console-')
    },
  })
  if (!succeeded) throw new Error(`No API report of ${config.mainEntryPointFilePath}`)
  // Between the fences; what stands around it is the same in every report.
  return /```ts\n([\s\S]*)```/.exec(readFileSync(path.join(scratch, 'api.api.md'), 'utf8'))[1].trim()
}

const check = process.argv.includes('--check')
const stale = []
const scratch = mkdtempSync(path.join(root, 'node_modules', '.api-'))
try {
  for (const name of readdirSync(path.join(root, 'packages'))) {
    const folder = path.join(root, 'packages', name)
    const entries = entryPoints(folder)
    const files = entries.map(([, file]) => file)
    const configs = files.map((file) => configFor(folder, file, files, scratch))
    // One compiler has read all of a package: most of the time goes into reading.
    const compilerState = CompilerState.create(configs[0])
    const parts = entries.map(([entry], at) => `# ${entry}\n\n${report(configs[at], compilerState, scratch)}\n`)
    const text = `The public API of @latchkey/${name}. Written by \`npm run api\`.\n\n${parts.join('\n')}`
    const file = path.join(folder, 'api.txt')
    if (!check) writeFileSync(file, text)
    else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      stale.push(`packages/${name}/api.txt`)
      writeFileSync(path.join(scratch, 'api.txt'), text)
      const { stdout } = spawnSync('git', ['diff', '--no-index', '--', file, path.join(scratch, 'api.txt')], {
        encoding: 'utf8',
      })
      console.error(stdout)
    }
  }
} finally {
  rmSync(scratch, { recursive: true })
}
if (stale.length > 0) {
  console.error(
    `The public API is not as ${stale.join(' and ')} says. If that is meant, run \`npm run api\` and commit.`,
  )
  process.exitCode = 1
}
