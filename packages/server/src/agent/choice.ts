import { type Identity, LatchkeyError } from '@latchkey/core'
import type { PersonRules } from '@latchkey/core/agents'
import { type AgentRules, cleanText, isObject, presetFor } from '@latchkey/core/server'
import { isSafe } from './token.ts'

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
export function choicesOf(accounts: readonly { accountId: string; label?: string | undefined }[]): AccountChoice[] {
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
function choiceNamed(provider: string, name: string, choices: readonly AccountChoice[]): AccountChoice {
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

/** An account that calls are made with. Without its secret it is in the vault. */
export interface Reachable {
  provider: string
  accountId: string | undefined
  label?: string | undefined
  held?: Identity | undefined
  /** The page chose it among those of its provider. */
  isChosen: boolean
  /** A tool may be told to use it. */
  isOffered: boolean
}

/** What a page sent of accounts, and what calls have chosen among them. */
export interface ChoiceOptions {
  /** The accounts with their secrets that the page chose, one of each provider. */
  held: readonly Identity[]
  /** Ids of accounts in the vault that the page chose, by provider. */
  references?: ReadonlyMap<string, string> | undefined
  /** All accounts of the run. */
  choices?: readonly RunAccount[] | undefined
  /** Ids of accounts that calls of this turn have named, by provider. */
  named?: Map<string, Set<string>> | undefined
}

/** Which account a call is made with. */
export interface Choice {
  /** All accounts of the run: those that the page chose, then the others. */
  readonly all: readonly Reachable[]
  /** Those of one provider that a tool may be told to use. One without an id cannot be named. */
  offered(provider: string): AccountChoice[]
  /**
   * By its name, by what was named before, or by the choice of the page.
   *
   * @throws LatchkeyError `invalid_request` for a name that there is not, and if none is named of several. It lists them.
   */
  find(provider: string, call: { account?: string | undefined; choose?: boolean | undefined }): Reachable | undefined
  /** A call has named this account, and later ones of its turn inherit it. */
  remember(provider: string, accountId: string): void
}

export function createChoice({ held, references, choices = [], named = new Map() }: ChoiceOptions): Choice {
  const all = reachable(held, references ?? new Map(), choices)
  const offered: Choice['offered'] = (provider) => {
    const own = all.filter((one) => one.provider === provider && one.isOffered)
    return choicesOf(own.flatMap(({ accountId, label }) => (accountId === undefined ? [] : [{ accountId, label }])))
  }
  return {
    all,
    offered,
    find(provider, { account, choose }) {
      const own = all.filter((one) => one.provider === provider)
      if (account !== undefined && own.length > 0) {
        const { accountId } = choiceNamed(provider, account, offered(provider))
        return own.find((one) => one.accountId === accountId)
      }
      if (!choose) return own.find(({ isChosen }) => isChosen)
      const some = own.filter(({ isOffered }) => isOffered)
      if (some.length < 2) return some[0]
      const [before, other] = named.get(provider) ?? []
      const found = other === undefined && some.find(({ accountId }) => accountId === before)
      if (before !== undefined && found) return found
      throw unnamed(provider, offered(provider))
    },
    remember: (provider, accountId) =>
      void named.set(provider, (named.get(provider) ?? new Set<string>()).add(accountId)),
  }
}

function reachable(
  held: readonly Identity[],
  references: ReadonlyMap<string, string>,
  choices: readonly RunAccount[],
): Reachable[] {
  const chosen = [
    ...[...references].map(([provider, accountId]) => ({ provider, accountId })),
    ...held
      .filter(({ provider }) => !references.has(provider))
      .map((one) => ({ provider: one.provider, accountId: one.accountId, held: one })),
  ]
  const isSame = (one: Pick<Reachable, 'provider' | 'accountId'>, { provider, accountId }: RunAccount) =>
    one.provider === provider && one.accountId === accountId
  const others = choices.filter((one) => !chosen.some((other) => isSame(other, one)) && (!one.held || isSafe(one.held)))
  return [
    ...chosen.map((one): Reachable => {
      const choice = choices.find((other) => isSame(one, other))
      // An old page sends no choices.
      const isOffered = choice !== undefined || !choices.some(({ provider }) => provider === one.provider)
      return { ...one, label: choice?.label, isChosen: true, isOffered }
    }),
    ...others.map((one): Reachable => ({ ...one, isChosen: false, isOffered: true })),
  ]
}

/** A call that names none of several accounts. */
const unnamed = (provider: string, choices: readonly AccountChoice[]): LatchkeyError =>
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
