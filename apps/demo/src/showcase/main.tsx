// Must come first: zod, a dependency of the AI SDK, otherwise tries eval, which the Content Security Policy blocks.
import './zod-without-eval.ts'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './styles.css'
import '@latchkey/react/styles.css'
import type { Config } from '../agent.ts'
import { createProviders } from '../providers.ts'
import { App } from './app.tsx'

const config: Config = await fetch('/api/config').then((response) => response.json())
const providers = Object.values(createProviders(config.baseUrls))

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App providers={providers} config={config} />
  </StrictMode>,
)
