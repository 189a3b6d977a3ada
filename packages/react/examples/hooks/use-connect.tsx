import { errorSentence, useConnect, useMessages } from '@latchkey/react'

export function Connect() {
  const { connect, cancel, status, error } = useConnect('github')
  const messages = useMessages()
  if (status === 'connecting') {
    return (
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    )
  }
  return (
    <>
      <button type="button" onClick={() => void connect()}>
        Connect GitHub
      </button>
      {error && <p role="alert">{errorSentence(messages, error, 'GitHub')}</p>}
    </>
  )
}
