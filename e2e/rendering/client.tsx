import { hydrateRoot } from 'react-dom/client'
import { App } from './app.tsx'
import type { Seen } from './observe.ts'

declare const seen: Seen

const root = document.getElementById('root') as HTMLElement
const app = <App path={location.pathname} nonce={document.body.dataset.nonce ?? ''} wait={() => {}} />
hydrateRoot(root, app, { onRecoverableError: (error) => seen.recovered.push(String(error)) })
