// Must come first: zod, a dependency of the AI SDK, otherwise tries eval, which the Content Security Policy blocks.
import './zod-without-eval.ts'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './styles.css'
import '@latchkey/react/styles.css'
import '@latchkey/react/oversight.css'
import { App } from './app.tsx'
import { loadConfig } from './config.ts'

// Here and not in an effect, because effects run twice in development, and two answers would start two sessions.
const first = loadConfig()

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App first={first} />
  </StrictMode>,
)
