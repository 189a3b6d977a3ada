import { useMessages } from '@latchkey/react'

/** A heading of your own, in the words and the language of the panel. */
export function Heading() {
  const messages = useMessages()
  return <h2 lang={messages.locale}>{messages.title}</h2>
}
