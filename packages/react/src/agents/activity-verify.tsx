'use client'
import type { LogVerdict } from '@latchkey/core/agents'
import { useId } from 'react'
import { SmallButton } from '../ui/button.tsx'
import { Problem } from '../ui/field.tsx'
import { useFirstMessages } from '../use-first-messages.ts'
import { momentWords } from './now.ts'
import { sentenceOf, useAgentMessages, useVerify } from './oversight.tsx'

interface VerifyProps {
  /** When the newest entry that is shown was written: the log may have grown since it was checked. */
  newest: string | undefined
}

/** Lets a person have the log checked, and says in words what came of it. */
export function Verify({ newest }: VerifyProps) {
  const words = useAgentMessages()
  const verify = useVerify()
  const id = useId()
  if (!verify) return null
  const { data, error, isPending } = verify
  return (
    <div className="latchkey-verify" data-slot="verify">
      <SmallButton label={words.verify} onPress={() => isPending || verify.mutate()} />
      <p className="latchkey-line" role="status">
        {isPending ? words.verifying : data && <Result verdict={data} newest={newest} />}
      </p>
      <Problem id={id} sentence={error && !isPending ? sentenceOf(words, error) : undefined} />
    </div>
  )
}

function Result({ verdict: { ok, entries, since, until }, newest }: VerifyProps & { verdict: LogVerdict }) {
  const words = useAgentMessages()
  const { locale } = useFirstMessages()
  // A filter may hide what is new: then the moment of the last one says what was checked.
  const isNewer = newest !== undefined && (until === undefined ? entries === 0 : Date.parse(newest) > Date.parse(until))
  const when = (at: string) => momentWords(words, at, locale)
  const sentences = ok
    ? [
        words.logWholeCount(entries),
        since !== undefined && words.logSince(when(since)),
        until !== undefined && words.logLast(when(until)),
        isNewer && words.logNewer,
      ]
    : [words.logChanged, words.logIntactCount(entries), until !== undefined && words.logUntil(when(until))]
  return sentences.filter(Boolean).join(' ')
}
