import { github } from '@latchkey/core/providers'
import { LatchkeyProvider } from '@latchkey/react'
import { AccessPreview, OversightProvider, type OversightProviderProps } from '@latchkey/react/agents'
import '@latchkey/react/styles.css'
import '@latchkey/react/oversight.css'

export function BeforeConnecting({ oversight }: Pick<OversightProviderProps, 'oversight'>) {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={[github()]}>
      <OversightProvider oversight={oversight}>
        <AccessPreview agent="assistant" provider="github" />
      </OversightProvider>
    </LatchkeyProvider>
  )
}
