// `@latchkey/server/skills`: scripts in any language, with a person's accounts in their environment.

export { type RunSkillOptions, Skill, type SkillLimits, type SkillManifest, type SkillResult } from './skills.ts'
