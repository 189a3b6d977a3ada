import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type ApiKeyProvider,
  type ConnectRequest,
  envName,
  type Identity,
  keyScheme,
  type Provider,
  parseIdentities,
} from '@latchkey/core'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { isObject } from '@latchkey/core/server'

const store = new AsyncLocalStorage<readonly Identity[]>()

/**
 * Takes the identities out of the body of an agent run, so that what is left can be logged and stored. They are read
 * from the top level (AG-UI, AI SDK) and from `params.metadata` (A2A, ACP); of two entries of one provider the top
 * level's wins. Entries that are not well formed are dropped.
 *
 * @returns the identities, and a body without them: a copy where they were found, never a changed original.
 */
export function takeIdentities<Body>(body: Body): { identities: Identity[]; body: Body } {
  if (!isObject(body)) return { identities: [], body }
  const { identities: top, ...rest }: Record<string, unknown> = body
  const { params } = rest
  const metadata = isObject(params) ? params.metadata : undefined
  const nested = isObject(metadata) ? metadata.identities : undefined
  if (isObject(params) && isObject(metadata) && 'identities' in metadata) {
    const { identities: _, ...others } = metadata
    rest.params = { ...params, metadata: others }
  }
  const found = new Map([...parseIdentities(nested), ...parseIdentities(top)].map((one) => [one.provider, one]))
  return { identities: [...found.values()], body: rest as Body }
}

/** Runs `fn`, and whatever it awaits or starts, on behalf of these identities. Nothing else sees them. */
export function withIdentities<T>(identities: readonly Identity[], fn: () => T): T {
  return store.run(identities, fn)
}

/** The identities this code runs on behalf of; empty outside {@link withIdentities}. */
export function currentIdentities(): readonly Identity[] {
  return store.getStore() ?? []
}

/**
 * Keeps the present identities for a stream that is read elsewhere. A generator runs in the context of whoever asks it
 * for the next value, which for an HTTP answer is the server, after {@link withIdentities} has returned: without this
 * its tools would find nobody, or somebody else.
 *
 * ```ts
 * return withIdentities(identities, () => bindIdentities(new Response(ReadableStream.from(run()))))
 * ```
 */
export function bindIdentities(source: Response): Response
export function bindIdentities<T>(source: ReadableStream<T>): ReadableStream<T>
export function bindIdentities<T>(source: AsyncIterable<T>): AsyncIterableIterator<T>
export function bindIdentities<T>(source: Response | ReadableStream<T> | AsyncIterable<T>) {
  const identities = currentIdentities()
  if (source instanceof Response) {
    return source.body ? new Response(bindStream(source.body, identities), source) : source
  }
  return source instanceof ReadableStream ? bindStream(source, identities) : bindIterable(source, identities)
}

function bindStream<T>(stream: ReadableStream<T>, identities: readonly Identity[]): ReadableStream<T> {
  const reader = stream.getReader()
  return new ReadableStream<T>(
    {
      pull: (controller) =>
        store.run(identities, async () => {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        }),
      cancel: (reason) => store.run(identities, () => reader.cancel(reason)),
    },
    // Nothing is read ahead of the consumer.
    { highWaterMark: 0 },
  )
}

function bindIterable<T>(iterable: AsyncIterable<T>, identities: readonly Identity[]): AsyncIterableIterator<T> {
  const iterator = store.run(identities, () => iterable[Symbol.asyncIterator]())
  return {
    next: () => store.run(identities, () => iterator.next()),
    return: (value) =>
      store.run(identities, async () => (await iterator.return?.(value)) ?? { done: true as const, value }),
    throw: (error) =>
      store.run(identities, () => {
        if (iterator.throw) return iterator.throw(error)
        throw error
      }),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** The identity at one provider that this code runs on behalf of, if there is one. */
export function getIdentity(provider: string): Identity | undefined {
  return currentIdentities().find((identity) => identity.provider === provider)
}

export interface RequireOptions {
  /** Scopes the call needs. They are checked when the identity says which it has. */
  scopes?: readonly string[]
  /** Shown to the person: the tool that needs the account. */
  toolName?: string
}

/**
 * The identity at one provider, for a tool that cannot go on without it.
 *
 * @throws AuthorizationRequired when there is none, or one without the scopes.
 */
export function requireIdentity(provider: string, { scopes, toolName }: RequireOptions = {}): Identity {
  const identity = getIdentity(provider)
  const granted = identity?.scopes
  if (identity && (!granted || !scopes || scopes.every((scope) => granted.includes(scope)))) return identity
  throw new AuthorizationRequired({ provider, ...(scopes && { scopes: [...scopes] }), ...(toolName && { toolName }) })
}

/**
 * A tool needs an account that the person has not connected, or not with these scopes. As JSON it is a
 * {@link ConnectRequest}, so a runtime that answers with errors as JSON asks the person by itself.
 */
export class AuthorizationRequired extends Error {
  readonly request: ConnectRequest

  constructor(request: Omit<ConnectRequest, 'type'>) {
    const { provider, scopes } = request
    const message = `Connect ${provider} to continue${scopes?.length ? ` (${scopes.join(', ')})` : ''}.`
    super(request.message ?? message)
    this.name = 'AuthorizationRequired'
    this.request = { type: 'authorization_required', message, ...request }
  }

  toJSON(): ConnectRequest {
    return this.request
  }
}

/** Names that tools already read where they are not `{PROVIDER}_TOKEN`, for ids that come without a provider. */
const ENV_NAMES = new Map<string, readonly string[]>([
  ['google', ['GOOGLE_ACCESS_TOKEN']],
  ['microsoft', ['AZURE_ACCESS_TOKEN']],
  ['linkedin', ['LINKEDIN_ACCESS_TOKEN']],
  ['huggingface', ['HUGGINGFACE_TOKEN', 'HF_TOKEN']],
])

/** Providers whose variables take more than a name to tell. */
const KNOWN: readonly Provider[] = [gmail(), kaggle()]

export interface IdentityEnvOptions {
  /** Providers whose own `envNames` and key schemes are used. Default: well-known names by provider id. */
  providers?: readonly Provider[]
  /** Ids of the providers a tool declares; others are left out. Default: all. */
  only?: readonly string[]
}

/**
 * Identities as environment variables for a child process. Returns a new object: `process.env` belongs to every user at
 * once and is neither read nor written, so the process gets this and what else you choose to give it.
 *
 * @param identities Default: {@link currentIdentities}.
 */
export function getIdentityEnv(
  identities: readonly Identity[] = currentIdentities(),
  { providers = [], only }: IdentityEnvOptions = {},
): Record<string, string> {
  const own: Record<string, string> = {}
  const shared: Record<string, string> = {}
  for (const identity of identities) {
    const { provider: id, accessToken } = identity
    if (only && !only.includes(id)) continue
    const provider = [...providers, ...KNOWN].find((one) => one.id === id)
    const [name = envName(id), ...others] = provider?.envNames ?? ENV_NAMES.get(id) ?? []
    own[name] = accessToken
    for (const other of others) shared[other] = accessToken
    if (provider?.kind === 'api-key') Object.assign(own, keyEnv(provider, identity))
  }
  // GOOGLE_ACCESS_TOKEN is Gmail's second name, but Google's first.
  return { ...shared, ...own }
}

/** The further variables of a key, which depend on its kind; none when a field of that kind is missing. */
function keyEnv(provider: ApiKeyProvider, { accessToken, fields }: Identity): Record<string, string> {
  const all = new Map(Object.entries(fields ?? {})).set(provider.fields[0]?.name ?? '', accessToken)
  const scheme = keyScheme(provider, Object.fromEntries(all))
  if (!scheme?.fields.every((field) => all.has(field))) return {}
  return Object.fromEntries(Object.entries(scheme.env ?? {}).map(([name, field]) => [name, all.get(field) ?? '']))
}
