import { useAccount } from '@latchkey/react'

export function Greeting() {
  const account = useAccount('github')
  return <p>{account ? `Signed in to GitHub as ${account.label}` : 'GitHub is not connected'}</p>
}
