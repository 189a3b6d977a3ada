import type { ReactNode } from 'react'
import type { MessageOverrides } from '../messages/messages.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions } from '../testing.ts'
import { accounts, type FakeOversightOptions, fakeOversight, providers } from './fake-oversight.ts'
import { OversightProvider } from './oversight-provider.tsx'

/** What a page has at the start. */
export interface FakePageOptions extends FakeOversightOptions {
  messages?: MessageOverrides
  /** Whether a person is asked before a window opens. */
  consent?: boolean
  /** In place of the client that is usual here. */
  client?: FakeClientOptions
}

/** What is around a component in a story or a test: made once, before it is rendered. */
export function fakePage(options: FakePageOptions = {}) {
  const client = createFakeClient({ providers, accounts, ...options.client })
  const oversight = fakeOversight(options)
  const Page = ({ children }: { children: ReactNode }) => (
    <LatchkeyProvider
      client={client}
      {...(options.messages && { messages: options.messages })}
      {...(options.consent && { consent: options.consent })}
    >
      <OversightProvider oversight={oversight}>{children}</OversightProvider>
    </LatchkeyProvider>
  )
  return { client, oversight, Page }
}
