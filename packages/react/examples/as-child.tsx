import { Account } from '@latchkey/react'

export const ConnectLink = ({ label }: { label: string }) => (
  <Account.Root provider="github" asChild>
    <section className="card">
      <Account.Connect asChild>
        <button type="button" className="my-button">
          {label}
        </button>
      </Account.Connect>
    </section>
  </Account.Root>
)
