// What a connect may have to show, fetched when a pointer or the focus comes to its button: nothing is left to fetch
// after the click, and what it says of a lost connection does not have to come over one.
export { BusyRow, CardEvents } from './card-events.lazy.tsx'
export { ConnectNotice } from './connect-notice.lazy.tsx'
