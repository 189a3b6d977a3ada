import type { ReactNode } from 'react'
import type { MessageOverrides } from '../messages/messages.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient } from '../testing.ts'
import { accounts, type FakeOversightOptions, fakeOversight, providers } from './fake-oversight.ts'
import { OversightProvider } from './oversight.tsx'

/** What is around a component in a story or a test: made once, before it is rendered. */
export function fakePage(options: FakeOversightOptions & { messages?: MessageOverrides } = {}) {
  const client = createFakeClient({ providers, accounts })
  const oversight = fakeOversight(options)
  const Page = ({ children }: { children: ReactNode }) => (
    <LatchkeyProvider client={client} {...(options.messages && { messages: options.messages })}>
      <OversightProvider oversight={oversight}>{children}</OversightProvider>
    </LatchkeyProvider>
  )
  return { client, oversight, Page }
}
