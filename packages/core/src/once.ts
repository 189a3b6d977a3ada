/** Runs `load` at most once, however many ask. A failure is forgotten, so the next call tries again. */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  return () => {
    loaded ??= load()
    loaded.catch(() => {
      loaded = undefined
    })
    return loaded
  }
}

/** What `load` gave for a key, asked once. A failure is forgotten, so the next call tries again. */
export function onceFor<T>(loaded: Map<string, Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  const value = loaded.get(key) ?? load()
  loaded.set(key, value)
  value.catch(() => loaded.delete(key))
  return value
}
