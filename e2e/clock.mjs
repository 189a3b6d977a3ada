// Loaded into the process of a demo before all else: its clock goes as much ahead as the test says. Timers stay as they are.
const { now } = Date
let ahead = 0
process.on('message', (message) => {
  if (typeof message?.ahead !== 'number') return
  ahead = message.ahead
  process.send?.({ ahead })
})
// The listener alone must not keep the process.
process.channel?.unref()

globalThis.Date = class extends Date {
  constructor(...given) {
    if (given.length > 0) super(...given)
    else super(now() + ahead)
  }
  static now() {
    return now() + ahead
  }
}
