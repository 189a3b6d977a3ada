// What a chat shows while its agent waits for an account.
export { ConnectPrompt } from './connect-prompt.tsx'
export { ForeignPrompt } from './foreign-prompt.tsx'
