// The parts of each API's answer that the model gets. The rest would only cost tokens.
import { z } from 'zod'

export const Repositories = z.array(
  z.object({ full_name: z.string(), description: z.string().nullable(), private: z.boolean() }),
)

export const Issue = z.object({ number: z.number(), title: z.string(), html_url: z.string() })

export const HEADERS = 'format=metadata&metadataHeaders=From&metadataHeaders=Subject&metadataHeaders=Date'
// Gmail leaves out an empty list.
export const FoundMessages = z.object({ messages: z.array(z.object({ id: z.string() })).default([]) })
export const Message = z
  .object({
    snippet: z.string(),
    payload: z.object({ headers: z.array(z.object({ name: z.string(), value: z.string() })) }),
  })
  .transform(({ snippet, payload }) => {
    const header = (name: string) => payload.headers.find((one) => one.name.toLowerCase() === name)?.value ?? ''
    return { subject: header('subject'), from: header('from'), to: header('to'), date: header('date'), snippet }
  })
export const FoundDrafts = z.object({ drafts: z.array(z.object({ id: z.string() })).default([]) })
export const Draft = z
  .object({ id: z.string(), message: Message })
  .transform(({ id, message: { subject, to, snippet } }) => ({ id, subject, to, snippet }))

export const Datasets = z.object({
  datasets: z.array(z.object({ ref: z.string(), title: z.string(), subtitle: z.string().default('') })).default([]),
})
