import { useAccounts } from '@latchkey/react'

export function AccountList() {
  const accounts = useAccounts()
  return (
    <ul>
      {accounts.map(({ id, provider, label, status }) => (
        <li key={id}>
          {provider}: {label} ({status})
        </li>
      ))}
    </ul>
  )
}
