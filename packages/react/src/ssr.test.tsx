// @vitest-environment jsdom
import { createLatchkey } from '@latchkey/core'
import { github, kaggle } from '@latchkey/core/providers'
import { act } from '@testing-library/react'
import { StrictMode, version } from 'react'
import { version as domVersion } from 'react-dom'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, expect, inject, test, vi } from 'vitest'
import { ConnectedAccounts } from './panel/connected-accounts.tsx'
import { LatchkeyProvider } from './provider.tsx'

declare module 'vitest' {
  interface ProvidedContext {
    /** The start of the React version that this project tests. */
    react: string
  }
}

test('these tests run on the expected version of React', () => {
  expect([version, domVersion]).toEqual([version, version])
  expect(version.startsWith(inject('react'))).toBe(true)
})

afterEach(() => {
  vi.restoreAllMocks()
  localStorage.clear()
  document.body.replaceChildren()
})

/** The storage of an earlier visit. */
function leaveAccount(): void {
  const id = `github.${'a'.repeat(22)}`
  const account = {
    id,
    provider: 'github',
    issuer: 'https://github.com/login/oauth',
    subject: '1',
    label: 'octocat',
    username: 'octocat',
    scopes: ['read:user'],
    missingScopes: [],
    status: 'connected',
    renewable: false,
    connectedAt: 1,
    rev: 1,
  }
  localStorage.setItem(`latchkey:${id}`, JSON.stringify({ v: 1, account, sealed: 'CANARY_SEALED' }))
}

test('case 64: server HTML contains no account, and hydrates into the connected card without a mismatch', async () => {
  leaveAccount()
  const client = createLatchkey({ providers: [github({ clientId: 'id' }), kaggle()], broker: '/api/latchkey' })
  const app = (
    <StrictMode>
      <LatchkeyProvider client={client}>
        <ConnectedAccounts />
      </LatchkeyProvider>
    </StrictMode>
  )
  const html = renderToString(app)
  expect(html).not.toMatch(/CANARY|octocat/)
  expect(html.match(/data-status="loading"/g)?.length).toBeGreaterThanOrEqual(2)

  const container = document.createElement('div')
  container.innerHTML = html
  document.body.append(container)
  const complained = vi.spyOn(console, 'error')
  const recovered = vi.fn()
  const root = await act(async () => hydrateRoot(container, app, { onRecoverableError: recovered }))
  expect(container.querySelector('[data-provider=github]')?.getAttribute('data-status')).toBe('connected')
  expect(container.textContent).toContain('octocat')
  expect(recovered).not.toHaveBeenCalled()
  expect(complained).not.toHaveBeenCalled()
  await act(async () => root.unmount())
})
