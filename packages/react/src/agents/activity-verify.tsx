'use client'
import type { LogVerdict } from '@latchkey/core/agents'
import { useId } from 'react'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { momentWords } from './now.ts'
import { sentenceOf, useAgentMessages, useVerify } from './oversight.tsx'

/** Lets a person have the log checked, and says in words what came of it. */
export function Verify() {
  const words = useAgentMessages()
  const verify = useVerify()
  const id = useId()
  if (!verify) return null
  const { data, error, isPending } = verify
  return (
    <div className="latchkey-verify" data-slot="verify">
      <SmallButton label={words.verify} onPress={() => isPending || verify.mutate()} />
      <p className="latchkey-line" role="status">
        {isPending ? words.verifying : data && <Result verdict={data} />}
      </p>
      <Problem id={id} sentence={error && !isPending ? sentenceOf(words, error) : undefined} />
    </div>
  )
}

function Result({ verdict: { ok, entries, since, until } }: { verdict: LogVerdict }) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  const when = (at: string) => momentWords(words, at, locale)
  const sentences = ok
    ? [words.logWholeCount(entries), since !== undefined && words.logSince(when(since))]
    : [words.logChanged, words.logIntactCount(entries), until !== undefined && words.logUntil(when(until))]
  return sentences.filter(Boolean).join(' ')
}
