import { useIdentities } from '@latchkey/react'

/** Sends a message with the accounts that this agent may use. */
export function Send({ text }: { text: string }) {
  const { getIdentities, providers } = useIdentities({ agent: 'assistant' })
  const send = async () => {
    const body = JSON.stringify({ text, identities: await getIdentities() })
    await fetch('/api/chat', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  }
  return (
    <button type="button" onClick={send}>
      Send with {providers.join(', ') || 'no account'}
    </button>
  )
}
