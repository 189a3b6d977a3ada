import { AsyncLocalStorage } from 'node:async_hooks'
import { type ApiKeyProvider, type ConnectRequest, type Identity, type Provider, parseIdentities } from '@latchkey/core'
import { envName, keyScheme } from '@latchkey/core/internal'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { isObject } from '@latchkey/core/server'

const store = new AsyncLocalStorage<readonly Identity[]>()

/**
 * Removes the identities from the body of an agent run, so that the rest can be logged and stored. They are read from the
 * top level (AG-UI, AI SDK) and from `params.metadata` (A2A, ACP). If both have an entry for one provider, the top level
 * wins. Malformed entries are dropped.
 *
 * @returns the identities, and a body without them. The original body is never changed.
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

/** Runs `fn` with these identities, and all that it awaits or starts. No other code sees them. */
export function withIdentities<T>(identities: readonly Identity[], fn: () => T): T {
  return store.run(identities, fn)
}

/** The identities of the current run. Empty outside {@link withIdentities}. */
export function currentIdentities(): readonly Identity[] {
  return store.getStore() ?? []
}

/**
 * Binds a stream or generator to the current identities. A generator runs in the async context of its reader. For an HTTP
 * response the server reads it after {@link withIdentities} has returned, so without this its tools would find no identity,
 * or those of another request.
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

/** The identity at one provider in the current run, if there is one. */
export function getIdentity(provider: string): Identity | undefined {
  return currentIdentities().find((identity) => identity.provider === provider)
}

/** What a call needs from an identity. */
export interface RequireOptions {
  /** Required scopes. Checked only if the identity lists its scopes. */
  scopes?: readonly string[]
  /** The tool that needs the account, shown to the person. */
  toolName?: string
}

/**
 * The identity at one provider, for a tool that requires it.
 *
 * @throws AuthorizationRequired if there is none, or it lacks the scopes.
 */
export function requireIdentity(provider: string, { scopes, toolName }: RequireOptions = {}): Identity {
  const identity = getIdentity(provider)
  const granted = identity?.scopes
  if (identity && (!granted || !scopes || scopes.every((scope) => granted.includes(scope)))) return identity
  throw new AuthorizationRequired({ provider, ...(scopes && { scopes: [...scopes] }), ...(toolName && { toolName }) })
}

/**
 * A tool needs an account that the person has not connected, or not with these scopes. Its JSON is a
 * {@link ConnectRequest}, so a runtime that returns errors as JSON asks the person without further code.
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

/** Well-known variable names other than `{PROVIDER}_TOKEN`, by provider id. */
const ENV_NAMES = new Map<string, readonly string[]>([
  ['google', ['GOOGLE_ACCESS_TOKEN']],
  ['microsoft', ['AZURE_ACCESS_TOKEN']],
  ['linkedin', ['LINKEDIN_ACCESS_TOKEN']],
  ['huggingface', ['HUGGINGFACE_TOKEN', 'HF_TOKEN']],
])

/** Providers whose variables depend on the kind of key. */
const KNOWN: readonly Provider[] = [gmail(), kaggle()]

/** Which identities become environment variables, and under which names. */
export interface IdentityEnvOptions {
  /**
   * Providers whose `envNames` and key schemes are used.
   *
   * @default [], which uses well-known names by provider id
   */
  providers?: readonly Provider[]
  /**
   * Ids of the providers that a tool declares. Others are left out.
   *
   * @default all
   */
  only?: readonly string[]
}

/**
 * Identities as environment variables for a child process. Returns a new object: `process.env` is shared by all users, so it
 * is neither read nor written. The child gets these variables and any that you add.
 *
 * @param identities {@link currentIdentities} by default.
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
  // GOOGLE_ACCESS_TOKEN is a name of both gmail and google. google takes precedence.
  return { ...shared, ...own }
}

/** The further variables of a key, which depend on its kind. None if a field of that kind is missing. */
function keyEnv(provider: ApiKeyProvider, { accessToken, fields }: Identity): Record<string, string> {
  const all = new Map(Object.entries(fields ?? {})).set(provider.fields[0]?.name ?? '', accessToken)
  const scheme = keyScheme(provider, Object.fromEntries(all))
  if (!scheme?.fields.every((field) => all.has(field))) return {}
  return Object.fromEntries(Object.entries(scheme.env ?? {}).map(([name, field]) => [name, all.get(field) ?? '']))
}
