import { createRoot } from 'react-dom/client'
import '@latchkey/react/styles.css'
import '@latchkey/react/oversight.css'
import type { Config } from './agent.ts'
import { Page } from './page.tsx'
import { createProviders } from './providers.ts'

const config: Config = await fetch('/api/config').then((response) => response.json())
const providers = Object.values(createProviders(config.baseUrls))
createRoot(document.getElementById('root') as HTMLElement).render(
  <Page providers={providers} vault={config.vault !== undefined} />,
)
