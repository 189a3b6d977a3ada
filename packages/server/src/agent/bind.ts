import { AsyncLocalStorage } from 'node:async_hooks'
import { ReadableStream as NodeStream } from 'node:stream/web'
import type { Identity } from '@latchkey/core'

const store = new AsyncLocalStorage<readonly Identity[]>()

/** Runs and streams that still use a list of identities, and what ends with the last of them. */
const held = new WeakMap<readonly Identity[], { holders: number; ends: (() => Promise<unknown>)[] }>()

/** Counts one more run or stream of these identities. Call the result when it is over. */
function hold(identities: readonly Identity[]): () => Promise<unknown> {
  const run = held.get(identities) ?? { holders: 0, ends: [] }
  held.set(identities, run)
  run.holders += 1
  let over: Promise<unknown> | undefined
  return () => {
    if (over) return over
    run.holders -= 1
    const ends = run.holders === 0 ? run.ends.splice(0) : []
    over = Promise.allSettled(ends.map((end) => store.run(identities, end)))
    return over
  }
}

/** Calls `end` when the current run and its streams are over. False outside of a run: then it is never called. */
export function whenRunEnds(end: () => Promise<unknown>): boolean {
  const run = held.get(currentIdentities())
  return run !== undefined && run.holders > 0 && run.ends.push(end) > 0
}

/** Runs `fn` with these identities, and all that it awaits or starts. No other code sees them. */
export function withIdentities<T>(identities: readonly Identity[], fn: () => T): T {
  const release = hold(identities)
  try {
    const result = store.run(identities, fn)
    if (result instanceof Promise) return result.finally(release) as T
    void release()
    return result
  } catch (error) {
    void release()
    throw error
  }
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

/** Like the iterator of a stream, but cancelling it does not wait for the pending read. Nothing is read ahead. */
function bindStream<T>(stream: ReadableStream<T>, identities: readonly Identity[]): ReadableStream<T> {
  const reader = stream.getReader()
  const iterator = {
    next: () => reader.read() as Promise<IteratorResult<T>>,
    return: async (reason?: unknown) => ({ done: true as const, value: await reader.cancel(reason) }),
  }
  // TypeScript's own ReadableStream has no `from` yet.
  return NodeStream.from(bindIterable<T>({ [Symbol.asyncIterator]: () => iterator }, identities)) as ReadableStream<T>
}

/** Reads in the run of these identities, which goes on until there is no more to read. */
function bindIterable<T>(iterable: AsyncIterable<T>, identities: readonly Identity[]): AsyncIterableIterator<T> {
  const iterator = store.run(identities, () => iterable[Symbol.asyncIterator]())
  const release = hold(identities)
  const read = (act: () => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> =>
    store.run(identities, async () => {
      let step: IteratorResult<T> | undefined
      try {
        step = await act()
        return step
      } finally {
        // A step that does not say it is the last one is not. @see ECMA-262 §27.1.1.5
        if (!step || step.done) await release()
      }
    })
  return {
    next: () => read(() => iterator.next()),
    return: (value) => read(async () => (await iterator.return?.(value)) ?? { done: true as const, value }),
    throw: (error) => {
      const hand = iterator.throw?.bind(iterator)
      if (hand) return read(() => hand(error))
      throw error
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
