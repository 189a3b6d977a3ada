import { AsyncLocalStorage } from 'node:async_hooks'
import type { Identity } from '@latchkey/core'

const store = new AsyncLocalStorage<readonly Identity[]>()

/** Runs `fn` with these identities, and all that it awaits or starts. No other code sees them. */
export function withIdentities<T>(identities: readonly Identity[], fn: () => T): T {
  return store.run(identities, fn)
}

/**
 * The identities of the current run: tokens that its request carried. Empty outside {@link withIdentities} and of an
 * AgentContext. An account in a vault is not among them: `withAccount` and `AgentContext.getToken` open it.
 */
export function currentIdentities(): readonly Identity[] {
  return store.getStore() ?? []
}

/**
 * Binds a stream or generator to the current identities. A generator runs in the async context of its reader. For an HTTP
 * response the server reads it after {@link withIdentities} has returned, so without this its tools would find no identity,
 * or those of another request.
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
