// `@latchkey/server/code-mode`: code that a model writes, in a QuickJS sandbox.

export {
  type CodeMode,
  type CodeModeOptions,
  type CodeResult,
  type CodeRun,
  type CodeTool,
  createCodeMode,
} from './code-mode.ts'
