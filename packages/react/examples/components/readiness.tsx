import { github } from '@latchkey/core/providers'
import { LatchkeyProvider } from '@latchkey/react'
import { OversightProvider, type OversightProviderProps, Readiness } from '@latchkey/react/agents'
import '@latchkey/react/styles.css'
import '@latchkey/react/oversight.css'

export function BeforeARun({ oversight }: Pick<OversightProviderProps, 'oversight'>) {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={[github()]}>
      <OversightProvider oversight={oversight}>
        <Readiness agent="assistant" tools={['github/create_issue']} duration={3_600_000} />
      </OversightProvider>
    </LatchkeyProvider>
  )
}
