import { RequestCard } from '@latchkey/react/agents'

/** The page of a link such as `/requests/{id}`, for whoever is signed in. To look at it changes nothing. */
export function RequestPage({ id }: { id: string }) {
  return (
    <main>
      <h1>An agent asks</h1>
      <RequestCard request={id} headingLevel={2} />
    </main>
  )
}
