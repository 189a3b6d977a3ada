// Pictures that are drawn with text: they can be read aloud, copied, and looked at on a phone and in the dark.
import type { ReactNode } from 'react'

interface ConsoleProps {
  /** What the page is called, and where it is. */
  title: string
  at: string
  fields: readonly { label: string; value: string; hint?: string }[]
  /** The button below the fields. */
  button?: string
}

/** A page of a provider's console, with what to enter. */
export function Console({ title, at, fields, button }: ConsoleProps) {
  return (
    <figure className="docs-form sb-unstyled">
      <figcaption>
        <strong>{title}</strong> · {at}
      </figcaption>
      <dl>
        {fields.map(({ label, value, hint }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              {value}
              {hint && <small>{hint}</small>}
            </dd>
          </div>
        ))}
      </dl>
      {button && (
        <p>
          <span>{button}</span>
        </p>
      )}
    </figure>
  )
}

function Arrow({ there, back }: { there: string; back: string }) {
  return (
    <li data-arrow="">
      <span>{there}</span>
      <svg viewBox="0 0 56 14" aria-hidden="true">
        <path d="M4 7h48M46 2l6 5-6 5M10 2 4 7l6 5" />
      </svg>
      <span>{back}</span>
    </li>
  )
}

function Piece({ name, children }: { name: string; children: ReactNode }) {
  return (
    <li>
      <strong>{name}</strong>
      <br />
      {children}
    </li>
  )
}

/** Where the pieces are, and what goes between them. */
export function Pieces() {
  return (
    <figure className="docs-pieces sb-unstyled">
      <ol>
        <Piece name="Browser">Your page with the panel. It keeps the tokens, encrypted.</Piece>
        <Arrow there="sign-in code" back="token" />
        <Piece name="Broker">A route on your server. It keeps the client secret.</Piece>
        <Arrow there="code and secret" back="token" />
        <Piece name="Service">GitHub, Google and others. People sign in there, in a window of their own.</Piece>
      </ol>
      <figcaption>
        One sign-in: the service gives the browser a code, and the broker exchanges it for a token. The secret never
        reaches the browser. With a vault, the token never does either.
      </figcaption>
    </figure>
  )
}
