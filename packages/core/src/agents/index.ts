// `@latchkey/core/agents`: what agents may do with accounts, and how their person sees, answers and stops them.

export { type AdviceOptions, unusedScopes } from './advice.ts'
export { createOversight, type OversightOptions } from './client.ts'
export { withEndings } from './endings.ts'
export type * from './oversight.ts'
export { readApprovalNotice } from './oversight.ts'
export { accessPreview, type PreviewChange, type PreviewItem, type PreviewOptions, previewDiff } from './preview.ts'
export {
  checkReadiness,
  planRun,
  type Readiness,
  type ReadinessOptions,
  type ReadyState,
  type RunPlan,
  type RunPolicy,
} from './readiness.ts'
export type * from './rules.ts'
export { decide, presetFor } from './rules.ts'
export type { Outlook, Standing } from './standing.ts'
