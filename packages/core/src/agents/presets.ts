// What becomes of the exceptions when a person chooses a preset.
import type { PersonRules } from './oversight.ts'
import {
  type AgentRules,
  BY_FREEDOM,
  type Effect,
  isAbout,
  ownOf,
  PRESETS,
  type Preset,
  type Rule,
  STRICTNESS,
} from './rules.ts'
import { seenWith, withAgent } from './standing.ts'

const laxest = (presets: readonly Preset[]) => BY_FREEDOM.findLast((preset) => presets.includes(preset)) ?? 'off'

/** A preset that a person chooses: for an account, or for all accounts of a provider that have none of their own. */
export interface PresetChoice {
  of: Rule['of']
  preset: Preset
  /** The provider of an account. Undefined if nobody knows: it may be any. */
  providerOf: (account: string) => string | undefined
}

/**
 * The rules with a preset chosen. A stricter preset ends the exceptions that allow more than it does, for the accounts that
 * it is for. A preset that allows more ends none. `off` is a pause and ends none either: the preset after it is compared
 * with the one before it. A `never` always stays.
 */
export const withPreset = (rules: PersonRules, agent: string, choice: PresetChoice): PersonRules =>
  withAgent(rules, agent, (old) => {
    const { of, preset } = choice
    const [kind, id] = 'account' in of ? (['accounts', of.account] as const) : (['providers', of.provider] as const)
    const stood = stoodBefore(old, choice)
    const left = stricter(preset, stood) ? old.rules.flatMap((rule) => leftOf(rule, old, choice)) : old.rules
    const ended = old.rules.filter((rule) => !left.includes(rule))
    const paused = Object.entries({ ...old.before?.[kind], [id]: stood }).filter(
      ([one]) => one !== id || preset === 'off',
    )
    const before = { accounts: {}, providers: {}, ...old.before, [kind]: Object.fromEntries(paused) }
    return {
      [kind]: { ...old[kind], [id]: preset },
      ...(ended.length > 0 && { rules: left, seen: seenWith(old.seen, ended) }),
      ...((old.before || preset === 'off') && { before }),
    }
  })

const stricter = (preset: Preset, stood: Preset) =>
  preset !== 'off' && BY_FREEDOM.indexOf(preset) < BY_FREEDOM.indexOf(stood)

/** What stood where a preset is chosen now. If that is not known: the most that it may have been. */
function stoodBefore({ before, ...rules }: AgentRules, { of, providerOf }: PresetChoice): Preset {
  const chosen = (kind: 'accounts' | 'providers', id: string) => {
    const preset = ownOf(rules[kind], id)
    return preset === 'off' ? (ownOf(before?.[kind], id) ?? 'trusted') : preset
  }
  const ofProvider = (id: string) => chosen('providers', id) ?? 'ask-before-changes'
  if ('provider' in of) return ofProvider(of.provider)
  const provider = providerOf(of.account)
  const any = () => laxest(['ask-before-changes', ...Object.keys(rules.providers).map(ofProvider)])
  return chosen('accounts', of.account) ?? (provider === undefined ? any() : ofProvider(provider))
}

/** What a stricter preset leaves of a rule. */
function leftOf(rule: Rule, rules: AgentRules, choice: PresetChoice): readonly Rule[] {
  if (within(rule, choice.preset) === rule) return [rule]
  const [others, reached] = split(rule, rules, choice)
  return [others, reached && within(reached, choice.preset)].filter((left) => left !== undefined)
}

const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive']

/** A rule as far as it is no laxer than a preset: all of it, what it says of reading, or nothing. */
function within(rule: Rule, preset: Preset): Rule | undefined {
  const { subject, decision, effect = subject !== '*' && 'effect' in subject ? subject.effect : undefined } = rule
  const isStrict = (one: Effect) => STRICTNESS[decision] >= STRICTNESS[PRESETS[preset][one]]
  if ((effect === undefined ? EFFECTS : [effect]).every(isStrict)) return rule
  // A yes that may be to more than reading ends. To ask before reading is as strict as any preset but `off`.
  return decision === 'ask' && effect === undefined ? { ...rule, effect: 'read' } : undefined
}

/** A rule for the accounts that a preset is not for, and for those that it is for. */
function split(
  rule: Rule,
  { accounts }: AgentRules,
  { of, providerOf }: PresetChoice,
): [others: Rule | undefined, reached?: Rule] {
  const { of: about, reach, ...said } = rule
  if ('account' in of) {
    const { account: id } = of
    if ('account' in about) return about.account === id ? [undefined, rule] : [rule]
    const isReached = isAbout(rule, { id, provider: providerOf(id) ?? about.provider })
    return isReached ? [limited(rule, outside(reach, [id])), { ...said, id: `${rule.id}.${id}`, of }] : [rule]
  }
  const { provider } = of
  const isOf = (account: string, unknown: boolean) => (providerOf(account) ?? (unknown ? provider : '')) === provider
  // Accounts with a preset of their own do not have that of their provider.
  const own = Object.keys(accounts).filter((id) => isOf(id, true))
  if ('account' in about) {
    // It may be of this provider. So its yes ends and its question stays: neither way allows more.
    const isReached = !own.includes(about.account) && isOf(about.account, rule.decision === 'allow')
    return isReached ? [undefined, rule] : [rule]
  }
  if (about.provider !== provider) return [rule]
  const others = limited(rule, { only: own.filter((id) => isAbout(rule, { id, provider })) })
  return [others, limited({ ...rule, id: others ? `${rule.id}.${provider}` : rule.id }, outside(reach, own))]
}

function outside(reach: Rule['reach'], ids: readonly string[]): Rule['reach'] {
  if (reach && 'only' in reach) return { only: reach.only.filter((id) => !ids.includes(id)) }
  const except = [...new Set([...(reach?.except ?? []), ...ids])]
  return except.length > 0 ? { except } : undefined
}

/** A rule for some accounts of its provider. Undefined for none. */
function limited({ reach: _, ...rule }: Rule, reach: Rule['reach']): Rule | undefined {
  if (!reach) return rule
  return 'only' in reach && reach.only.length === 0 ? undefined : { ...rule, reach }
}
