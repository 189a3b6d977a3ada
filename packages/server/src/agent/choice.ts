import { type Identity, LatchkeyError } from '@latchkey/core'
import type { PersonRules } from '@latchkey/core/agents'
import { type AgentRules, cleanText, isObject, presetFor } from '@latchkey/core/server'

/** One of the accounts that a page sends with a run. */
export interface RunAccount {
  /** Provider id. */
  provider: string
  accountId: string
  /** What its person calls it, as the page sent it: foreign text. */
  label?: string
  /** The account with its token, if the browser keeps it. Absent: the vault keeps it. */
  held?: Identity
}

/** An account that a tool may be told to use. */
export interface AccountChoice {
  accountId: string
  /** What its person calls it, made safe to show. The id, if it has no name. */
  label: string
}

/** Accounts that one refusal lists. An error's message has an end. */
const LISTED = 12

/** Some of these characters carry text that only a model reads. U+2800 looks like a space. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\u2800]/gu

/** A label without what cannot be seen. It may have been cut inside of a character. */
const shown = (label: string): string =>
  cleanText(label.replace(UNSEEN, ''))
    .replace(/\p{Cs}$/u, '')
    .trim()

/** The accounts under names that a model may see. A label that is the id of an account would name that one. */
export function choicesOf(accounts: readonly Pick<RunAccount, 'accountId' | 'label'>[]): AccountChoice[] {
  const ids = accounts.map(({ accountId }) => accountId)
  return accounts.map(({ accountId, label = '' }) => {
    const name = shown(label)
    return { accountId, label: name === '' || ids.includes(name) ? accountId : name }
  })
}

const NO_RULES: AgentRules = { accounts: {}, providers: {}, rules: [] }

/** Those that no agent of the chain has *Off*. No model is told of the others. */
export const switchedOn = (
  accounts: readonly RunAccount[],
  rules: PersonRules['agents'],
  chain: readonly string[],
): readonly RunAccount[] =>
  accounts.filter(({ provider, accountId: id }) =>
    chain.every((agent) => {
      const own = Object.hasOwn(rules, agent) ? rules[agent] : undefined
      return presetFor(own ?? NO_RULES, { id, provider }) !== 'off'
    }),
  )

const isUnique = ({ label }: AccountChoice, choices: readonly AccountChoice[]) =>
  choices.filter((one) => one.label === label).length === 1

/**
 * The account with this id or label.
 *
 * @throws LatchkeyError `invalid_request` if there is none, or several have this label. Its message lists all of them.
 */
export function choiceNamed(provider: string, name: string, choices: readonly AccountChoice[]): AccountChoice {
  const byId = choices.find(({ accountId }) => accountId === name)
  if (byId) return byId
  const [first, second] = choices.filter(({ label }) => label === shown(name))
  if (!first) throw refusal(provider, choices, `No account of ${provider} has this name.`)
  if (second) throw refusal(provider, choices, `Several accounts of ${provider} have this name. Give an id.`)
  return first
}

/** Turns whose choices are remembered: the newest. */
const TURNS = 1000

/**
 * The account ids that calls of a turn have named, by provider. A turn may go on in another request, as after a yes. This
 * process alone remembers it: in another one the tool refuses, and the model names the account again.
 */
export function createTurnChoices(): (turn: readonly (string | undefined)[]) => Map<string, Set<string>> {
  const turns = new Map<string, Map<string, Set<string>>>()
  return (turn) => {
    const key = JSON.stringify(turn)
    const named = turns.get(key) ?? new Map<string, Set<string>>()
    // The last one used goes to the end.
    turns.delete(key)
    turns.set(key, named)
    const [oldest] = turns.keys()
    if (turns.size > TURNS && oldest !== undefined) turns.delete(oldest)
    return named
  }
}

/** A call that names none of several accounts. */
export const unnamed = (provider: string, choices: readonly AccountChoice[]): LatchkeyError =>
  refusal(provider, choices, `There are several accounts of ${provider}. Say which one.`)

function refusal(provider: string, choices: readonly AccountChoice[], why: string): LatchkeyError {
  const listed = choices.slice(0, LISTED).map(told).join(', ')
  const more = choices.length > LISTED ? `, and ${choices.length - LISTED} more` : ''
  const list = listed ? ` "account" is one of: ${listed}${more}.` : ''
  return new LatchkeyError('invalid_request', why + list, { provider, next: 'none' })
}

const told = ({ accountId, label }: AccountChoice) =>
  label === accountId ? JSON.stringify(accountId) : `${JSON.stringify(label)} (id ${accountId})`

/** The account that a tool's input names, and the input without it. */
export function takeName<Input>(input: Input): { name: string | undefined; rest: Input } {
  if (!isObject(input) || !Object.hasOwn(input, 'account')) return { name: undefined, rest: input }
  const { account, ...rest } = input as Record<string, unknown>
  // Models send an empty value for a member that they leave out.
  const isNone = account === undefined || account === null || account === ''
  const name = typeof account === 'string' ? account : JSON.stringify(account)
  return { name: isNone ? undefined : name, rest: rest as Input }
}

/**
 * The JSON Schema of a tool's input with the optional member `account`, for a tool of `withAccount({ account: 'choose' })`: a
 * closed list of the labels and ids of these accounts. It takes the place of a member `account` that is there. A label that two
 * accounts share is left out. Without accounts the schema stays as it is.
 *
 * ```ts
 * inputSchema: jsonSchema(offerAccounts(z.toJSONSchema(input), context.accountsOf('gmail')))
 * ```
 *
 * @param accounts what `context.accountsOf` returns.
 */
export function offerAccounts<Schema extends object>(schema: Schema, accounts: readonly AccountChoice[]): Schema {
  if (accounts.length === 0) return schema
  const { properties } = schema as { properties?: unknown }
  const names = accounts.flatMap((one) => [...(isUnique(one, accounts) ? [one.label] : []), one.accountId])
  const account = {
    type: 'string',
    enum: [...new Set(names)],
    description: `The account to use. Needed if there are several, and no call before this one has named it: ${accounts.map(told).join(', ')}.`,
  }
  return { ...schema, properties: { ...(isObject(properties) && properties), account } }
}
