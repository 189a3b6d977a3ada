// `@latchkey/core/agents`: what agents may do with accounts, and how their person sees, answers and stops them.

export type * from './oversight.ts'
export type * from './rules.ts'
