import { Account, useAccount, useConnect, useLatchkey } from '@latchkey/react'
import type { FormEvent } from 'react'

export function Accounts() {
  const { providers } = useLatchkey()
  return providers.map(({ id }) => <Card key={id} provider={id} />)
}

function Card({ provider }: { provider: string }) {
  const account = useAccount(provider)
  const { status, cancel, error } = useConnect(provider)
  const connecting = status === 'connecting'
  return (
    <Account.Root provider={provider} asChild>
      <article>
        <h3>
          <Account.Icon aria-hidden /> <Account.Name />
        </h3>
        <p>
          <Account.Status /> <Account.Identity /> <Account.Expiry />
        </p>
        <Account.Scopes />
        {error && <p role="alert">{error.message}</p>}
        {!account && !connecting && <Start provider={provider} />}
        {!connecting && <Account.Reconnect />} <Account.Disconnect />
        {connecting && (
          <button type="button" onClick={cancel}>
            Cancel
          </button>
        )}
      </article>
    </Account.Root>
  )
}

/** A button that opens the window, or a form where people paste a key. */
function Start({ provider: id }: { provider: string }) {
  const provider = useLatchkey().providers.find((one) => one.id === id)
  const { connectKey } = useConnect(id)
  if (provider?.kind !== 'api-key') return <Account.Connect />

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value)])
    connectKey(Object.fromEntries(fields.filter(([, value]) => value)))
  }
  return (
    <form onSubmit={submit}>
      {provider.fields.map(({ name, label, secret }) => (
        <label key={name}>
          {label} <input name={name} type={secret ? 'password' : 'text'} autoComplete="off" />
        </label>
      ))}
      <button type="submit">Connect {provider.name}</button>
    </form>
  )
}
