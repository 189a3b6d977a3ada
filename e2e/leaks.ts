import type { Page } from '@playwright/test'
import { everythingStored } from './demo.ts'

/** Where a secret was found: the place, and the path inside it. */
export interface Leak {
  place: string
  path: string
}

/** Everything that a page logs: console messages with their values, and uncaught errors. */
export function listenTo(page: Page): string[] {
  const said: string[] = []
  const note = (one: Page) => {
    one.on('console', (message) => {
      said.push(message.text())
      for (const argument of message.args()) {
        argument.jsonValue().then(
          (value) => said.push(JSON.stringify(value) ?? ''),
          () => {},
        )
      }
    })
    one.on('pageerror', (error) => said.push(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`))
    one.on('popup', note)
  }
  note(page)
  return said
}

/** Looks for secrets in every place of a page that developer tools, extensions or the next user can see. */
export async function walk(page: Page, secrets: readonly string[], said: readonly string[] = []): Promise<Leak[]> {
  const leaks: Leak[] = []
  const look = (place: string, text: string) => {
    for (const secret of secrets) if (text.includes(secret)) leaks.push({ place, path: '' })
  }
  look('console', said.join('\n'))
  look('storage', await everythingStored(page))
  look('cookies', JSON.stringify(await page.context().cookies()))
  const inside = await page.evaluate(async (secrets) => {
    const leaks: { place: string; path: string }[] = []
    const has = (text: string) => secrets.some((secret) => text.includes(secret))
    const look = (place: string, text: string | null | undefined, path = '') => {
      if (text && has(text)) leaks.push({ place, path })
    }

    look('address', location.href)
    look('address', document.referrer, 'referrer')
    const { navigation } = window as unknown as {
      navigation?: { entries(): { url: string | null; getState(): unknown }[] }
    }
    for (const entry of navigation?.entries() ?? []) {
      look('history', entry.url, 'entry')
      look('history', JSON.stringify(entry.getState() ?? null), 'entry state')
    }
    look('history', JSON.stringify(history.state), 'state')
    look('window.name', window.name)
    look('title', document.title)
    for (const name of await caches.keys()) {
      const cache = await caches.open(name)
      for (const request of await cache.keys()) {
        look('caches', request.url)
        look('caches', await (await cache.match(request))?.text())
      }
    }
    for (const entry of performance.getEntries()) look('performance', entry.name)

    look('document', document.documentElement.outerHTML)
    for (const field of document.querySelectorAll<HTMLInputElement>('input, textarea, select, output')) {
      look('document', field.value, `value of ${field.name || field.id}`)
      look('document', field.defaultValue, `default value of ${field.name || field.id}`)
    }

    // React's tree as its developer tools read it: props, state, context, refs and the objects in them.
    const root = [...document.querySelectorAll('*')].flatMap((node) =>
      Object.keys(node)
        .filter((key) => key.startsWith('__reactContainer$'))
        .map((key) => (node as unknown as Record<string, unknown>)[key]),
    )
    // Each place is searched separately, so that an object in both the store and the tree is found twice.
    const seen: Record<string, Set<unknown>> = { tree: new Set(), store: new Set(), 'query cache': new Set() }
    const queue: { value: unknown; path: string; place: string }[] = root.map((value) => ({
      value,
      path: 'root',
      place: 'tree',
    }))
    let fibers = 0
    for (let next = queue.pop(); next; next = queue.pop()) {
      const { value, path, place } = next
      if (typeof value === 'string') look(place, value, path)
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen[place]?.has(value))
        continue
      seen[place]?.add(value)
      if (value === window || value === document) continue
      const add = (name: string, inner: unknown, at = place) =>
        queue.push({ value: inner, path: `${path.slice(-200)}.${name}`, place: at })
      if (value instanceof Node) {
        // Its own React properties, not the document around it.
        for (const [key, inner] of Object.entries(value)) if (key.startsWith('__react')) add(key, inner)
        continue
      }
      const object = value as Record<string, unknown>
      if ('memoizedProps' in object && 'child' in object) fibers++
      if (value instanceof Map) for (const [key, inner] of value) [add('key', key), add(String(key), inner)]
      if (value instanceof Set) for (const inner of value) add('item', inner)
      // Object.entries does not list the message of an error.
      for (const key of Object.getOwnPropertyNames(value)) {
        if (typeof value === 'function' && ['caller', 'callee', 'arguments', 'prototype'].includes(key)) continue
        look(place, key, `${path}.${key}`)
        const { get, value: inner } = Object.getOwnPropertyDescriptor(value, key) ?? {}
        if (!get) add(key, inner)
      }
      if (typeof object.getQueryCache === 'function' && typeof object.getMutationCache === 'function') {
        for (const one of [...object.getQueryCache().getAll(), ...object.getMutationCache().getAll()]) {
          const { queryKey, queryHash, options, state } = one
          add('cache', { queryKey, queryHash, options, state }, 'query cache')
        }
      }
      if (typeof object.getSnapshot === 'function' && typeof object.subscribe === 'function') {
        add('getSnapshot()', object.getSnapshot(), 'store')
      }
    }
    if (fibers < 20) throw new Error(`Only ${fibers} fibers were found: this is not the tree.`)
    return leaks
  }, secrets)
  return [...leaks, ...inside]
}

/** Puts a canary of its own into every place that {@link walk} searches, and says which. */
export async function plant(page: Page, canary: string): Promise<string[]> {
  const url = new URL(page.url())
  await page.context().addCookies([{ name: 'planted', value: canary, url: url.origin }])
  await page.evaluate(async (canary) => {
    console.log('planted', { canary })
    history.replaceState({ canary }, '', `#${canary}`)
    window.name = canary
    document.title = canary
    localStorage.setItem('planted', canary)
    await (await caches.open('planted')).put('/planted', new Response(canary))
    performance.mark(canary)
    const field = document.createElement('input')
    document.body.append(field)
    field.value = canary

    const container = document.getElementById('root') as unknown as Record<string, unknown>
    const key = Object.keys(container).find((name) => name.startsWith('__reactContainer$')) as string
    type Fiber = { child: Fiber | null; sibling: Fiber | null; memoizedProps: Record<string, unknown> | null }
    const visit = (fiber: Fiber | null): void => {
      if (!fiber) return
      type Methods = Record<string, (...args: unknown[]) => unknown>
      for (const prop of Object.values(fiber.memoizedProps ?? {})) {
        const value = prop as (Methods & { client?: Methods }) | null
        if (typeof value?.setQueryData === 'function') value.setQueryData(['planted'], { canary })
        if (typeof value?.client?.setIncluded === 'function') value.client.setIncluded(canary, 'github', false)
      }
      visit(fiber.child)
      visit(fiber.sibling)
    }
    const { current: root } = (container[key] as { stateNode: { current: Fiber } }).stateNode
    visit(root)
    // Like a prop: an object that only the tree refers to. The next render takes those that are pending.
    const props = { ...root.child?.memoizedProps, planted: { canary } }
    Object.assign(root.child ?? {}, { memoizedProps: props, pendingProps: props })
  }, canary)
  return [
    'console',
    'storage',
    'cookies',
    'address',
    'history',
    'window.name',
    'title',
    'caches',
    'performance',
    'document',
    'tree',
    'query cache',
    'store',
  ]
}
