import { useLatchkey } from '@latchkey/react'

/** Signs the person out of your app: removes all of their accounts from this browser. */
export function SignOut() {
  const client = useLatchkey()
  return (
    <button type="button" onClick={() => void client.signOut()}>
      Sign out
    </button>
  )
}
