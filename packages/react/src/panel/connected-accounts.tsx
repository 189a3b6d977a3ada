'use client'
import { accountsOf, type Provider } from '@latchkey/core'
import {
  type ComponentPropsWithoutRef,
  forwardRef,
  type ReactNode,
  startTransition,
  useEffect,
  useId,
  useMemo,
  useState,
} from 'react'
import { useLatchkey, useProviders, useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import { classes } from '../ui/button.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { Card } from './account-card.tsx'
import { KeptBoxes } from './kept-boxes.tsx'
import type { ProviderSearchProps } from './provider-search.lazy.tsx'

const useSearch = /* @__PURE__ */ later(() => import('./provider-search.lazy.tsx'), 'ProviderSearch')
const useNotPersistent = /* @__PURE__ */ later(() => import('./not-persistent.lazy.tsx'), 'NotPersistent')
const useHeadingMenu = /* @__PURE__ */ later(() => import('./heading-menu.lazy.tsx'), 'HeadingMenu', true)
const useStatement = /* @__PURE__ */ later(() => import('./custody-statement.lazy.tsx'), 'CustodyStatement', true)

/** More providers than this do not fit on a screen: from here on a panel has a search box and groups by itself. */
const MANY = 8
/** How many cards the first render makes; more follow in time slices that typing and clicks go before. */
const FIRST = 40

/** Props of {@link ConnectedAccounts}. */
export type ConnectedAccountsProps = Omit<ComponentPropsWithoutRef<'section'>, 'title' | 'children'> & {
  /** The heading of the panel. @default "Connected Accounts" */
  title?: ReactNode
  /** The line below the title; `null` for none. */
  description?: ReactNode
  /**
   * `list`: a card below the other. `grid`: cards beside each other where there is room. `inline`: a strip of one-line
   * cards for a composer or a row of settings; what else the panel says is left out there.
   *
   * @default `list`
   */
  layout?: 'list' | 'grid' | 'inline'
  /** How much room things take; also a `data-density` of any element around it. @default `comfortable` */
  density?: 'comfortable' | 'compact'
  /** A box to find a provider, or the person connected there, by name. @default with more than 8 providers */
  search?: boolean
  /** An agent's id: each card has a switch then, whether this agent uses what is connected. See `useAgentAccounts`. */
  agent?: string
  /** Providers with accounts first, under headings. @default with more than 8 providers, not when inline */
  groups?: boolean
  /** What is searched for. */
  query?: string
  /** What the search field holds at first. @default nothing */
  defaultQuery?: string
  /** Called with every change of what is searched for. */
  onQueryChange?: (query: string) => void
}

/**
 * The panel: a region named by its heading, with a card per provider, and where their secrets rest. Renders a `section`.
 */
export const ConnectedAccounts = /* @__PURE__ */ forwardRef<HTMLElement, ConnectedAccountsProps>(
  function ConnectedAccounts(
    { title, description, layout = 'list', density, agent, search, groups, className, ...others },
    ref,
  ) {
    const { query, defaultQuery, onQueryChange, ...props } = others
    const messages = useFirstMessages()
    const providers = useProviders()
    const unkept = useSnapshot((snapshot) => snapshot.persistence === 'unavailable')
    const [NotPersistent] = useNotPersistent(unkept)
    const [found, setFound] = useState<ReadonlySet<Provider>>()
    const headingId = useId()
    const cardsId = useId()
    const inline = layout === 'inline'
    const many = providers.length > MANY
    const searchable = (search ?? many) && providers.length > 0
    const sections = useSections(providers, groups ?? (many && !inline))
    const limit = useLimit(providers.length)
    const line = description === undefined ? messages.description : description
    const [epoch, setEpoch] = useState(0)
    const heading = (
      <h2 id={headingId} className={inline ? 'latchkey-unseen' : 'latchkey-heading'} data-slot="heading">
        {title ?? messages.title}
      </h2>
    )

    return (
      <section
        aria-labelledby={headingId}
        {...useLanguage()}
        {...props}
        ref={ref}
        className={classes('latchkey latchkey-panel', className)}
        data-slot="panel"
        data-layout={layout}
        data-density={density}
        data-long={many || undefined}
      >
        <KeptBoxes />
        <LiveRegion>
          {inline ? heading : <Top onLeft={() => setEpoch((epoch) => epoch + 1)}>{heading}</Top>}
          {line && !inline && (
            <p className="latchkey-description" data-slot="description">
              {line}
            </p>
          )}
          {unkept && NotPersistent && <NotPersistent />}
          {searchable && (
            <SearchPlace
              providers={providers}
              query={query}
              defaultQuery={defaultQuery}
              onQueryChange={onQueryChange}
              onFound={setFound}
              controls={cardsId}
            />
          )}
          <div id={cardsId}>
            {sections.map(({ title, providers: members }, index) => {
              const before = index === 0 ? 0 : (sections[0]?.providers.length ?? 0)
              const mounted = members.slice(0, Math.max(0, limit - before))
              const heading = title && `${cardsId}-${title}`
              return (
                <div key={title ?? ''} hidden={found && !members.some((provider) => found.has(provider))}>
                  {title && (
                    <h3 id={heading} className="latchkey-group">
                      {messages[title]}
                    </h3>
                  )}
                  <ul
                    className="latchkey-cards"
                    data-slot="list"
                    aria-labelledby={heading}
                    data-many={providers.length > FIRST || undefined}
                  >
                    {mounted.map((provider) => (
                      // Hidden, not gone: what was typed into a form or is under way there outlives a search.
                      <li key={provider.id} hidden={found && !found.has(provider)}>
                        <Card
                          provider={provider}
                          layout={inline ? 'inline' : 'card'}
                          headingLevel={title ? 4 : 3}
                          agent={agent}
                          epoch={epoch}
                        />
                      </li>
                    ))}
                  </ul>
                </div>
              )
            })}
          </div>
          {providers.length < 1 && <p className="latchkey-empty">{messages.noProviders}</p>}
          {!inline && <Foot />}
        </LiveRegion>
      </section>
    )
  },
)

/** Keeps the box's place until its code is there, so that nothing moves. */
function SearchPlace(props: ProviderSearchProps) {
  const [Search] = useSearch(true)
  return <div className="latchkey-search-place">{Search && <Search {...props} />}</div>
}

interface Section {
  title?: 'groupConnected' | 'groupAvailable'
  providers: readonly Provider[]
}

/**
 * The providers as they are grouped when the panel opens. A card then stays where it is: one that moved in the moment it
 * connects would take the keyboard, and the eye, off what was just done.
 */
function useSections(providers: readonly Provider[], grouped: boolean): readonly Section[] {
  const client = useLatchkey()
  const ready = useSnapshot((snapshot) => snapshot.status === 'ready')
  return useMemo(() => {
    const snapshot = client.getSnapshot()
    const isConnected = ({ id }: Provider) => accountsOf(snapshot, id).length > 0
    const connected = providers.filter(isConnected)
    const available = providers.filter((provider) => !isConnected(provider))
    if (!grouped || !ready || connected.length < 1 || available.length < 1) return [{ providers }]
    return [
      { title: 'groupConnected', providers: connected },
      { title: 'groupAvailable', providers: available },
    ]
  }, [client, providers, grouped, ready])
}

/** How many cards to render: few at first, the rest as soon as nothing more urgent is to be done. */
function useLimit(count: number): number {
  const [limit, setLimit] = useState(FIRST)
  useEffect(() => {
    if (limit < count) startTransition(() => setLimit(count))
  }, [limit, count])
  return limit
}

interface TopProps {
  children: ReactNode
  /** Called when all accounts are disconnected at once. */
  onLeft: () => void
}

/** The panel's heading and, with several accounts, its menu. */
function Top({ children, onLeft }: TopProps) {
  const several = useSnapshot(({ accounts }) => Object.keys(accounts).length > 1)
  const [Menu] = useHeadingMenu(several)
  return (
    <div className="latchkey-top">
      {children}
      {Menu && <Menu several={several} onLeft={onLeft} />}
    </div>
  )
}

/** Where secrets rest. Its place is kept until its code is there, so that nothing moves. */
function Foot() {
  const custody = useSnapshot(({ status, persistence, custody }) => {
    if (status === 'loading') return undefined
    return persistence === 'unavailable' ? 'memory' : custody
  })
  const [Statement] = useStatement(true)
  return (
    <div className="latchkey-foot" data-slot="foot">
      {custody && Statement && <Statement custody={custody} />}
    </div>
  )
}
