import { useConnect, useConsent } from '@latchkey/react'

/** A consent step of your own. Sensitive scopes are not ticked. */
export function Consent() {
  const { items, setChosen, scopes } = useConsent({ provider: 'github', asked: ['read:user', 'gist', 'repo'] })
  const { connect } = useConnect('github')
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      {items.map(({ scope, label, kind, chosen: ticked }) => (
        <label key={scope}>
          <input
            type="checkbox"
            checked={ticked}
            disabled={kind !== 'optional'}
            onChange={(event) => setChosen(scope, event.target.checked)}
          />{' '}
          {label}
        </label>
      ))}
      <button type="button" disabled={!scopes} onClick={() => void connect({ scopes })}>
        Continue to GitHub
      </button>
    </form>
  )
}
