import { github, gmail, kaggle } from '@latchkey/core/providers'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, fakeAccount } from '@latchkey/react/testing'
import { type CSSProperties, useMemo, useState } from 'react'
import { variables } from './generated.tsx'

type Scheme = 'light' | 'dark'
type Values = Record<string, string>

const all = variables()
const isColour = (value: string) => /^#[0-9a-f]{3,6}$/i.test(value)
const colours = all.filter(({ light, dark }) => isColour(light) && isColour(dark))
const CORNERS = ['--latchkey-radius', '--latchkey-control-radius']

/** A colour input takes six digits. */
const long = (value: string) => (value.length === 4 ? value.replace(/[0-9a-f]/gi, '$&$&') : value)

/** How bright a colour is, from 0 to 1. @see WCAG 2.2, relative luminance */
function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => Number.parseInt(long(colour).slice(at, at + 2), 16) / 255)
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string): number {
  const [less = 0, more = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (more + 0.05) / (less + 0.05)
}

/** What is written on what. */
const PAIRS = [
  ['text', 'surface'],
  ['muted', 'surface'],
  ['link', 'surface'],
  ['on-accent', 'accent'],
] as const

/** The style sheet of the changed values. */
function sheet(changed: Record<Scheme | 'both', Values>): string {
  const block = (selector: string, values: Values, indent = '') => {
    const lines = Object.entries(values).map(([name, value]) => `${indent}  ${name}: ${value};`)
    return lines.length > 0 ? [`${indent}${selector} {`, ...lines, `${indent}}`].join('\n') : ''
  }
  const media = block(':root:not([data-theme="light"])', changed.dark, '  ')
  return [
    block(':root', { ...changed.both, ...changed.light }),
    media && `@media (prefers-color-scheme: dark) {\n${media}\n}`,
    block('[data-theme="dark"]', changed.dark),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** The panel with inputs for its variables, and the style sheet that they make. */
export function ThemeEditor() {
  const [changed, setChanged] = useState<Record<Scheme | 'both', Values>>({ both: {}, light: {}, dark: {} })
  const [copied, setCopied] = useState(false)
  const change = (where: Scheme | 'both', name: string, value: string) => {
    setCopied(false)
    setChanged((old) => ({ ...old, [where]: { ...old[where], [name]: value } }))
  }
  const current = (scheme: Scheme, name: string) =>
    changed[scheme][name] ?? all.find((one) => one.name === name)?.[scheme] ?? ''
  const css = sheet(changed)
  return (
    // Storybook's own look of headings and lists stays outside.
    <div className="docs-editor sb-unstyled">
      <div className="docs-editor-panels">
        {(['light', 'dark'] as const).map((scheme) => (
          <Preview key={scheme} scheme={scheme} values={{ ...changed.both, ...changed[scheme] }}>
            {PAIRS.map(
              ([ink, paper]) =>
                [
                  ink,
                  contrast(current(scheme, `--latchkey-${ink}`), current(scheme, `--latchkey-${paper}`)),
                  paper,
                ] as const,
            )
              .filter(([, ratio]) => ratio < 4.5)
              .map(([ink, ratio, paper]) => (
                <p key={ink} role="status">
                  <code>{ink}</code> on <code>{paper}</code> has a contrast of {ratio.toFixed(1)}. Text needs 4.5.
                </p>
              ))}
          </Preview>
        ))}
      </div>
      <fieldset>
        <legend>Corners</legend>
        {CORNERS.map((name) => (
          <label key={name}>
            <code>{name}</code>
            <input
              type="range"
              min="0"
              max="24"
              value={Number.parseInt(changed.both[name] ?? all.find((one) => one.name === name)?.light ?? '0', 10)}
              onChange={({ target }) => change('both', name, `${target.value}px`)}
            />
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Colours, light and dark</legend>
        {colours.map(({ name, use }) => (
          <div key={name} className="docs-editor-row">
            {(['light', 'dark'] as const).map((scheme) => (
              <input
                key={scheme}
                type="color"
                aria-label={`${name}, ${scheme}`}
                value={long(current(scheme, name))}
                onChange={({ target }) => change(scheme, name, target.value)}
              />
            ))}
            <span>
              <code>{name}</code>
              <br />
              {use}
            </span>
          </div>
        ))}
      </fieldset>
      <p>
        <button
          type="button"
          disabled={css === ''}
          onClick={() => navigator.clipboard.writeText(`${css}\n`).then(() => setCopied(true))}
        >
          Copy CSS
        </button>{' '}
        <button type="button" disabled={css === ''} onClick={() => setChanged({ both: {}, light: {}, dark: {} })}>
          Start over
        </button>{' '}
        <span role="status">{copied ? 'Copied.' : ''}</span>
      </p>
      <pre>{css || 'Change a value, and its CSS is here.'}</pre>
    </div>
  )
}

function Preview({ scheme, values, children }: { scheme: Scheme; values: Values; children: React.ReactNode }) {
  const client = useMemo(() => {
    const revoked = fakeAccount({
      provider: 'gmail',
      label: 'ada@example.com',
      username: undefined,
      status: 'needs-reconnect',
      reason: 'revoked',
    })
    return createFakeClient({ providers: [github(), gmail(), kaggle()], accounts: [fakeAccount(), revoked] })
  }, [])
  return (
    <div data-theme={scheme} className="docs-editor-preview">
      <div style={values as CSSProperties}>
        <LatchkeyProvider client={client}>
          <ConnectedAccounts title={scheme === 'light' ? 'Light' : 'Dark'} />
        </LatchkeyProvider>
      </div>
      {children}
    </div>
  )
}
