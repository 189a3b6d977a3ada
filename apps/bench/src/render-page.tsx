// What the page of `render.ts` runs: the panel with many providers, and a plain React list of the same markup.
import { github } from '@latchkey/core/providers/github'
import { AccountCard, ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, fakeAccount } from '@latchkey/react/testing'
import { createElement, memo, Profiler, type ReactNode, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'

export interface Contestant {
  /** Renders all cards; resolves when the first ones are painted, then when all of them are. */
  mount(): Promise<{ first: number; all: number }>
  /** Types a name into the search box until only its card is left; undefined where there is no box. */
  search(): Promise<number | undefined>
  /** Changes one account's name. */
  change(): Promise<number>
  unmount(): Promise<void>
}

export interface RenderLab {
  prepare(providers: number): Promise<void>
  panel: Contestant
  plain: Contestant
  /** DOM nodes of the panel that one change touches. */
  touched(): Promise<number>
  /** Cards that one change renders, and in how many commits. Only what is made for profiling counts. */
  rendered(providers: number): Promise<{ cards: number; commits: number }>
}

const place = document.createElement('div')
document.body.append(place)
const WANTED = 'Provider 777'

let client: ReturnType<typeof createFakeClient>
let changes = 0

function createClient(count: number) {
  const providers = Array.from({ length: count }, (_, at) => ({
    ...github(),
    id: `provider-${at}`,
    name: `Provider ${at}`,
  }))
  const accounts = [3, 5, 8].map((at) => fakeAccount({ provider: `provider-${at}` }))
  client = createFakeClient({ providers, accounts })
}

/** Renames one account, as a refreshed profile does. */
function rename() {
  const account = client.getSnapshot().accounts['provider-5.octocat']
  if (!account) throw new Error('The account is gone')
  client.setAccount({ ...account, name: `The Octocat ${++changes}`, rev: account.rev + 1 })
}

/** Resolves after the frame that shows the change. */
const painted = () => new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)))

const until = (condition: () => boolean) =>
  new Promise<void>((resolve) => {
    if (condition()) return resolve()
    const observer = new MutationObserver(() => {
      if (!condition()) return
      observer.disconnect()
      resolve()
    })
    observer.observe(place, { subtree: true, childList: true, attributes: true, characterData: true })
  })

const cards = () => place.getElementsByClassName('latchkey-card')
const shown = () => [...cards()].filter((card) => !card.closest('[hidden]')).length

async function timed(act: () => void, done: () => boolean): Promise<number> {
  const from = performance.now()
  act()
  await until(done)
  await painted()
  return performance.now() - from
}

function contestant(app: () => ReactNode, change: () => void): Contestant {
  let root: Root
  return {
    async mount() {
      const from = performance.now()
      root = createRoot(place)
      root.render(app())
      await until(() => cards().length > 0)
      await painted()
      const first = performance.now() - from
      await until(() => cards().length === client.providers.length)
      await painted()
      return { first, all: performance.now() - from }
    },
    async search() {
      await Promise.race([until(() => place.querySelector('input[type=search]') !== null), painted().then(painted)])
      const box = place.querySelector<HTMLInputElement>('input[type=search]')
      if (!box) return undefined
      const type = (text: string) => {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(box, text)
        box.dispatchEvent(new Event('input', { bubbles: true }))
      }
      const took = await timed(
        () => type(WANTED),
        () => shown() === 1,
      )
      await timed(
        () => type(''),
        () => shown() === client.providers.length,
      )
      return took
    },
    change() {
      const next = `The Octocat ${changes + 1}`
      return timed(change, () => place.textContent?.includes(next) === true)
    },
    async unmount() {
      root.unmount()
      await painted()
    },
  }
}

interface Tree {
  tag: string
  attributes: Record<string, string>
  children: (Tree | string)[]
}

const names: Record<string, string> = { class: 'className', tabindex: 'tabIndex' }

function treeOf(element: Element): Tree {
  return {
    tag: element.localName,
    attributes: Object.fromEntries([...element.attributes].map(({ name, value }) => [names[name] ?? name, value])),
    children: [...element.childNodes].map((node) => (node instanceof Element ? treeOf(node) : (node.nodeValue ?? ''))),
  }
}

const elementOf = ({ tag, attributes, children }: Tree): ReactNode =>
  createElement(tag, attributes, ...children.map((child) => (typeof child === 'string' ? child : elementOf(child))))

const withText = (tree: Tree, text: string, next: string): Tree => ({
  ...tree,
  children: tree.children.map((child) => {
    if (typeof child === 'string') return child.includes(text) ? next : child
    return withText(child, text, next)
  }),
})

let trees: readonly Tree[] = []
let setTrees: (next: readonly Tree[]) => void = () => {}

const PlainCard = memo(function PlainCard({ tree }: { tree: Tree }) {
  return elementOf(tree)
})

/** The baseline: a list, a filter and a state. */
function PlainList() {
  const [list, setList] = useState(trees)
  const [query, setQuery] = useState('')
  setTrees = (next) => {
    trees = next
    setList(next)
  }
  const wanted = query.toLowerCase()
  return (
    <section className="latchkey latchkey-panel">
      <input type="search" value={query} onChange={(event) => setQuery(event.target.value)} />
      <ul className="latchkey-cards" data-many>
        {list.map((tree, at) => (
          <li key={tree.attributes['data-provider']} hidden={!`provider ${at}`.includes(wanted)}>
            <PlainCard tree={tree} />
          </li>
        ))}
      </ul>
    </section>
  )
}

const panel = contestant(
  () => (
    <LatchkeyProvider client={client}>
      <ConnectedAccounts groups={false} />
    </LatchkeyProvider>
  ),
  rename,
)
const plain = contestant(
  () => <PlainList />,
  () => {
    const next = `The Octocat ${++changes}`
    setTrees(trees.map((tree, at) => (at === 5 ? withText(tree, 'The Octocat', next) : tree)))
  },
)

const lab: RenderLab = {
  async prepare(count) {
    createClient(count)
    await panel.mount()
    trees = [...cards()].map(treeOf)
    await panel.unmount()
  },
  panel,
  plain,
  async touched() {
    await panel.mount()
    const nodes = new Set<Node>()
    const observer = new MutationObserver((records) => {
      for (const { type, target, addedNodes, removedNodes } of records) {
        if (type === 'childList') for (const node of [...addedNodes, ...removedNodes]) nodes.add(node)
        else nodes.add(target)
      }
    })
    observer.observe(place, { subtree: true, childList: true, attributes: true, characterData: true })
    await panel.change()
    await painted()
    observer.disconnect()
    await panel.unmount()
    return nodes.size
  },
  async rendered(count) {
    createClient(count)
    const root = createRoot(place)
    let seen: string[] = []
    root.render(
      <LatchkeyProvider client={client}>
        {client.providers.map(({ id }) => (
          <Profiler key={id} id={id} onRender={(card) => seen.push(card)}>
            <AccountCard provider={id} />
          </Profiler>
        ))}
      </LatchkeyProvider>,
    )
    await until(() => cards().length === count)
    await painted()
    if (new Set(seen).size !== count) throw new Error('React does not profile')
    seen = []
    rename()
    await painted()
    await painted()
    root.unmount()
    return { cards: new Set(seen).size, commits: seen.length }
  },
}
Object.assign(globalThis, { lab })
