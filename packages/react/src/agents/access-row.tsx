'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { type Agent, type PersonRules, type Preset, presetFor, type Rule } from '@latchkey/core/agents'
import { BY_FREEDOM, withPreset } from '@latchkey/core/internal'
import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useAccounts } from '../hooks.ts'
import { later } from '../later.tsx'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { useStanding } from './access-words.ts'
import { ExceptionLine } from './exception-line.tsx'
import { agoWords, useNow } from './now.ts'
import { sentenceOf, useAgentMessages, useChange, useLastUses } from './oversight.tsx'
import { Bones, Disclosure, Given } from './parts.tsx'
import { visibleLine } from './plain.ts'
import { endedBetween, exceptionsOf, rulesOf } from './ruled.ts'

const useDetails = /* @__PURE__ */ later(() => import('./access-details.lazy.tsx'), 'AccessDetails')
const usePreview = /* @__PURE__ */ later(() => import('./access-preview.lazy.tsx'), 'Preview')

const PRESETS: readonly Preset[] = ['read-only', 'ask-before-changes', 'trusted', 'off']

interface AccessRowProps {
  person: PersonRules
  /** The agent, its parent and so on. */
  line: readonly [Agent, ...Agent[]]
  /** Absent: none of this provider is connected yet. */
  account?: ConnectedAccount
  /** Provider id. */
  provider: string
  /** What the row is called: one of the two, the other is around it. */
  mark: ReactNode
  name: string
  /** Beside the name. */
  aside?: ReactNode
}

/** What one agent may do with one account, or will with those of a provider: a line, and below it all there is to choose. */
export function AccessRow({ person, line, account, provider, mark, name, aside }: AccessRowProps) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const now = useNow()
  const uses = useLastUses()?.uses ?? []
  const [open, setOpen] = useState(false)
  const [Details] = useDetails(open && account !== undefined)
  const id = useId()
  const [agent] = line
  const rules = rulesOf(person, agent)
  const at = account ?? { id: '', provider }
  const wordsFor = useStanding(agent.id)
  const preset = presetFor(rules, at)
  // They wait while it is off.
  const exceptions = preset === 'off' ? [] : exceptionsOf(rules, at, now)
  const usedAt = uses.find((use) => use.agent === agent.id && use.account === account?.id)?.at
  // One is named. More are counted, and named under Details.
  const [exception] = exceptions.length === 1 ? exceptions : []
  const missing = !account && words.notConnected
  const { off, preset: chosen } = wordsFor({ person, line }, at)
  const said = [off, missing, chosen, exceptions.length > 1 && words.exceptionCount(exceptions.length)]
  return (
    <li className="latchkey-access-row" data-preset={preset}>
      <div className="latchkey-row" data-slot="access">
        <span className="latchkey-mark" data-slot="mark">
          {mark}
        </span>
        <div className="latchkey-title">
          <span className="latchkey-name">
            <Given name={name} />
          </span>
          {aside}
        </div>
        <p className="latchkey-line">
          {said.filter(Boolean).join(' · ')}
          {exception && (
            <>
              {' · '}
              <ExceptionLine agent={agent} rule={exception} />
            </>
          )}
          {usedAt !== undefined && now > 0 && ` · ${words.used(agoWords(usedAt, now, locale))}`}
        </p>
        <div className="latchkey-actions">
          <SmallButtonOf name={name} open={open} controls={id} onPress={() => setOpen(!open)} />
        </div>
      </div>
      {open && (
        <div id={id} className="latchkey-access-body">
          <Presets
            person={person}
            agent={agent}
            {...(account ? { account: account.id, label: account.label } : { provider, label: name })}
            at={at}
            preset={preset}
          />
          {account && (
            <Disclosure label={words.detailsShort} name={`${words.detailsShort}: ${visibleLine(name)}`}>
              {Details ? <Details person={person} line={line} account={account} /> : <Bones />}
            </Disclosure>
          )}
        </div>
      )}
    </li>
  )
}

interface OpenerProps {
  name: string
  open: boolean
  controls: string
  onPress: () => void
}

function SmallButtonOf({ name, open, controls, onPress }: OpenerProps) {
  const words = useAgentMessages()
  return (
    <button
      type="button"
      className="latchkey-button latchkey-fold"
      data-kind="secondary"
      data-size="small"
      aria-label={words.change(visibleLine(name))}
      aria-expanded={open}
      aria-controls={open ? controls : undefined}
      onClick={onPress}
    >
      {words.changeShort}
    </button>
  )
}

type PresetsProps = {
  person: PersonRules
  agent: Agent
  /** What the account or the provider is called. */
  label: string
  /** The account, as rules see it. */
  at: Pick<ConnectedAccount, 'id' | 'provider'>
  preset: Preset
} & Rule['of']

/** A preset that was chosen here. */
interface Picked {
  preset: Preset
  /** The rules from before, once it was sent. Until then it waits for a second click. */
  before?: PersonRules
}

/**
 * The four presets, each with what it means. One that allows more, or ends exceptions, holds after the person saw what that
 * is.
 */
function Presets({ person, agent, label, at, preset, ...of }: PresetsProps) {
  const words = useAgentMessages()
  const accounts = useAccounts()
  const now = useNow()
  const change = useChange()
  const [picked, setPicked] = useState<Picked>()
  const [Preview] = usePreview(picked !== undefined)
  const group = useRef<HTMLFieldSetElement>(null)
  const name = useId()
  const isOnItsWay = picked !== undefined && picked.preset !== preset && (!picked.before || change.isPending)
  const isHeld = picked?.before !== undefined && picked.preset === preset
  const shown = isOnItsWay ? picked.preset : preset
  /** An exception that ended does not come back with the preset from before. */
  const needsClick = (next: Preset) => {
    const providerOf = (id: string) => accounts.find((one) => one.id === id)?.provider
    const after = withPreset(person, agent.id, { of, preset: next, providerOf })
    const isMore = BY_FREEDOM.indexOf(next) > BY_FREEDOM.indexOf(preset)
    return isMore || endedBetween(person, after, agent, at, now).length > 0
  }
  const apply = (next: Preset, onSuccess?: () => void) => {
    setPicked({ preset: next, before: person })
    change.mutate(
      { agent: agent.id, of, preset: next },
      { onError: () => setPicked(undefined), ...(onSuccess && { onSuccess }) },
    )
  }
  const choose = (next: Preset) => {
    if (change.isPending) return
    change.reset()
    if (next === preset) setPicked(undefined)
    else if (needsClick(next)) setPicked({ preset: next })
    // What only allows less holds at once: nobody who leaves now should be wrong about it.
    else apply(next)
  }
  const waits = isOnItsWay && needsClick(picked.preset) ? picked.preset : undefined
  const box = useRef<HTMLDivElement>(null)
  const waitsInView = Preview && waits
  useEffect(() => {
    if (waitsInView) box.current?.scrollIntoView?.({ block: 'nearest' })
  }, [waitsInView])
  // The buttons go, and the focus with them.
  const refocus = () => group.current?.querySelector<HTMLInputElement>('input:checked')?.focus()
  return (
    <fieldset ref={group} className="latchkey-presets">
      <legend>{words.access(visibleLine(agent.name), visibleLine(label))}</legend>
      {'provider' in of && <p className="latchkey-hint">{words.holdsLater(visibleLine(label))}</p>}
      {PRESETS.map((one) => (
        <label key={one}>
          <input
            type="radio"
            name={name}
            checked={one === shown}
            aria-labelledby={`${name}${one}`}
            aria-describedby={one === waits ? `${name}${one}means ${name}waits` : `${name}${one}means`}
            onChange={() => choose(one)}
          />
          <span id={`${name}${one}`}>{words.presets[one]}</span>
          <span id={`${name}${one}means`} className="latchkey-line">
            {words.presetMeans[one]}
          </span>
        </label>
      ))}
      {picked && Preview && (isOnItsWay || isHeld) && (
        <div ref={box} className="latchkey-picked">
          {waits && (
            <p id={`${name}waits`} className="latchkey-status" data-decision="ask">
              {words.preview.notYet}
            </p>
          )}
          {/* By the rules as they are now: others may change beside it. */}
          <Preview
            agent={agent.id}
            {...of}
            {...(isHeld ? { before: picked.before, change: person } : { change: picked.preset })}
          />
          {waits && (
            <div className="latchkey-actions">
              <SmallButton
                label={words.cancel}
                onPress={() => {
                  setPicked(undefined)
                  group.current?.querySelector<HTMLInputElement>(`[aria-labelledby="${name}${preset}"]`)?.focus()
                }}
              />
              <SmallButton
                kind="primary"
                label={words.preview.choose(words.presets[waits])}
                onPress={() => change.isPending || apply(waits, refocus)}
              />
            </div>
          )}
        </div>
      )}
      <Problem id={`${name}problem`} sentence={change.error ? sentenceOf(words, change.error) : undefined} />
    </fieldset>
  )
}
