type Announce = (text: string) => void

let queue: { announce: Announce; text: string }[] = []

/** Says something with what else is said in this moment: a live region holds one text, and a second one takes its place. */
export function speak(announce: Announce, text: string): void {
  if (queue.length === 0) queueMicrotask(flush)
  // A request stands in a chat and in an inbox: one of them says it.
  if (queue.every((one) => one.text !== text || one.announce === announce)) queue.push({ announce, text })
}

function flush() {
  const said = queue
  queue = []
  for (const announce of new Set(said.map((one) => one.announce))) {
    const texts = said.filter((one) => one.announce === announce).map(({ text }) => text)
    announce(texts.join(' '))
  }
}
