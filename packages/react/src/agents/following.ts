'use client'
import type { Activity, ActivityNews, LastUses, Oversight } from '@latchkey/core/agents'
import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query'

/** One page of activity. */
type Page = Awaited<ReturnType<Oversight['activity']>>

/** Uses that the first page may grow to, before it is asked for anew. */
const MOST = 200

/** Follows what agents do, for all components that show it, while somebody looks. */
export interface Following {
  subscribe(notify: () => void): () => void
  /** Whether news come by themselves now. */
  isFollowing(): boolean
}

/** What comes is written into the queries whose keys begin with `key`. */
export function createFollowing(oversight: Oversight, queries: QueryClient, key: QueryKey): Following {
  const watchers = new Set<() => void>()
  let end: AbortController | undefined
  let isFollowing = false

  function set(next: boolean): void {
    if (next === isFollowing) return
    isFollowing = next
    for (const notify of [...watchers]) notify()
  }

  const renew = (...names: string[]) => {
    for (const name of names) void queries.invalidateQueries({ queryKey: [...key, name] })
  }

  function add(use: Activity): void {
    for (const { queryKey, state } of queries.getQueryCache().findAll({ queryKey: [...key, 'activity'] })) {
      const { agent = use.agent, account = use.account } = queryKey.at(-1) as { agent?: string; account?: string }
      if (agent !== use.agent || account !== use.account) continue
      const [first] = (state.data as InfiniteData<Page> | undefined)?.pages ?? []
      // What is on its way may be older than this.
      if (!first || state.fetchStatus === 'fetching' || first.uses.length >= MOST) {
        void queries.invalidateQueries({ queryKey, exact: true })
      } else if (use.seq > (first.uses[0]?.seq ?? 0)) {
        queries.setQueryData<InfiniteData<Page>>(queryKey, (data) => {
          const [newest, ...older] = data?.pages ?? []
          return data && newest && { ...data, pages: [{ ...newest, uses: [use, ...newest.uses] }, ...older] }
        })
      }
    }
    if (use.action !== 'use' || use.agent === undefined || use.account === undefined) return
    const { agent, account, tool } = use
    queries.setQueryData<LastUses>([...key, 'last-uses'], (last) => {
      if (!last) return last
      const others = last.uses.filter((one) => one.agent !== agent || one.account !== account || one.tool !== tool)
      return {
        ...last,
        uses: [{ agent, account, ...(tool !== undefined && { tool }), at: Date.parse(use.at) }, ...others],
      }
    })
  }

  function hear(news: ActivityNews): void {
    if (news.type === 'use') add(news.use)
    else if (news.type === 'requests') renew('requests')
    else if (news.type === 'lost') set(false)
    else {
      set(true)
      if (!news.resumed) renew('activity', 'requests', 'last-uses')
    }
  }

  function update(): void {
    const isWanted = watchers.size > 0 && document.visibilityState === 'visible'
    if (isWanted === (end !== undefined)) return
    if (isWanted) {
      const now = new AbortController()
      end = now
      oversight.follow?.((news) => now.signal.aborted || hear(news), now.signal)
    } else {
      end?.abort()
      end = undefined
      set(false)
    }
  }

  return {
    subscribe(notify) {
      if (watchers.size === 0) document.addEventListener('visibilitychange', update)
      watchers.add(notify)
      update()
      return () => {
        watchers.delete(notify)
        if (watchers.size > 0) return
        document.removeEventListener('visibilitychange', update)
        update()
      }
    },
    isFollowing: () => isFollowing,
  }
}
