// What passkey.spec.ts opens: the page of a link to one request.

import { createOversight } from '@latchkey/core/agents'
import { github } from '@latchkey/core/providers/github'
import { LatchkeyProvider } from '@latchkey/react'
import { OversightProvider } from '@latchkey/react/agents'
import { createRoot } from 'react-dom/client'
import { RequestPage } from '../../packages/react/examples/request-page.tsx'

const broker = '/api/latchkey'
const oversight = createOversight({ broker })

createRoot(document.getElementById('root') as HTMLElement).render(
  <LatchkeyProvider providers={[github({ clientId: 'id' })]} broker={broker}>
    <OversightProvider oversight={oversight}>
      <RequestPage id={location.pathname.split('/').at(-1) ?? ''} />
    </OversightProvider>
  </LatchkeyProvider>,
)
