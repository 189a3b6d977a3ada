'use client'
import { type ComponentPropsWithoutRef, forwardRef, useId, useState } from 'react'
import { useIdentities, useKit, useProviders } from '../hooks.ts'
import { later } from '../later.tsx'
import { useMayHave } from '../parts/agent-limit.ts'
import { after } from '../parts/context.tsx'
import { classes } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'

const useList = /* @__PURE__ */ later(() => import('./accounts-list.lazy.tsx'), 'AccountsList')

/** Props of {@link AccountsMenu}. */
export type AccountsMenuProps = Omit<ComponentPropsWithoutRef<'button'>, 'children'> & {
  /** The agent whose next message it is about; see `useAgentAccounts`. */
  agent: string
  /** Leads to the panel: closes this and is called. Without it there is no such button. */
  onManage?: () => void
}

/**
 * Which accounts go with the next message, for a header or beside a message box: a `button` with `data-carried` (their
 * number) that opens a list, where each can be left out, and missing ones connected.
 *
 * It is a popover and not a menu: forms and notices of a connect have no place inside of a `role="menu"`.
 */
export const AccountsMenu = /* @__PURE__ */ forwardRef<HTMLButtonElement, AccountsMenuProps>(function AccountsMenu(
  { agent, onManage, className, onClick, onPointerEnter, onFocus, ...props },
  ref,
) {
  const messages = useMessages()
  const { icons } = useKit()
  const [List, loadList] = useList()
  const [open, setOpen] = useState<{ trigger: HTMLElement }>()
  const listId = useId()
  const { providers: ids } = useIdentities({ agent })
  const mayHave = useMayHave(agent)
  const carried = useProviders().filter(({ id }) => ids.includes(id) && mayHave(id))
  const names = carried.map(({ name }) => name)
  return (
    <LiveRegion>
      <span className="latchkey latchkey-accounts">
        <button
          type="button"
          {...props}
          ref={ref}
          className={classes('latchkey-button latchkey-accounts-button', className)}
          data-kind="secondary"
          data-carried={carried.length}
          aria-haspopup="dialog"
          aria-expanded={open !== undefined}
          aria-controls={open ? listId : undefined}
          onPointerEnter={after(onPointerEnter, loadList)}
          onFocus={after(onFocus, loadList)}
          onClick={after(onClick, ({ currentTarget: trigger }) => {
            loadList()
            setOpen(open ? undefined : { trigger })
          })}
        >
          {carried.length > 0 ? (
            <span className="latchkey-accounts-marks" aria-hidden="true">
              {carried.slice(0, 4).map((provider) => (
                <span key={provider.id} className="latchkey-button-mark">
                  {brandMark(provider, icons)}
                </span>
              ))}
            </span>
          ) : null}
          <span aria-hidden="true">{messages.accountsMenu}</span>
          <span className="latchkey-unseen">{messages.accountsMenuName(new Intl.ListFormat().format(names))}</span>
          <svg className="latchkey-caret" viewBox="0 0 12 12" aria-hidden="true">
            <path d="m3 4.5 3 3 3-3" fill="none" stroke="currentColor" strokeWidth="1.4" />
          </svg>
        </button>
        {open && List && (
          <List id={listId} agent={agent} {...open} onManage={onManage} onClose={() => setOpen(undefined)} />
        )}
      </span>
    </LiveRegion>
  )
})
